"""The list of agents: filters stand in the address, pages follow each other, and parked agents go on together."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from fsm_agent import action
from fsm_agent.domain.agent import Status
from fsm_agent.loading.yaml_file import loads
from tests.support.pages import facts_of, text_of
from tests.support.servers.in_thread import ERRAND, Served, served

#: another workflow with the same states
TRIP = ERRAND.replace("workflow: errand", "workflow: trip")
#: where the action finds what is to be fetched
THERE: set[str] = set()


@action
def fetch(ctx: Any) -> str:
    if ctx.data.item not in THERE:
        raise KeyError(f"there is no {ctx.data.item}")
    return "fetched"


#: parks when its action fails
HAUL = """
workflow: haul
version: 1
data: {item: {type: string}}
events: {fetched: {}}
initial: fetching
states:
  fetching: {do: fetch, on: {fetched: over}}
  over: {final: true}
"""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Agents of all kinds, which nobody changes."""
    with served(tmp_path_factory.mktemp("door"), workflows=(ERRAND, TRIP), actions=[fetch], drives=False) as one:
        runner = one.services["default"].runner

        async def live() -> None:
            for number in range(24):
                workflow = loads(ERRAND if number % 2 else TRIP)
                labels = {"team": "field" if number % 3 else "office", **({"urgent": ""} if number % 5 == 0 else {})}
                user = ["ana", "ben", None][number % 3]
                agent_id = f"{workflow.name}-{number:02}"
                await runner.start(workflow, id=agent_id, user=user, labels=labels)
                if number % 4:
                    await runner.send(agent_id, "wanted", {"item": "book"})
                if number % 4 == 2:
                    await runner.cancel(agent_id)

        one.run(live())
        yield one


@pytest.fixture
def client(door: Served) -> Iterator[httpx2.Client]:
    with door.client() as client:
        yield client


def ids(page: str) -> list[str]:
    return re.findall(r'<td data-name="Agent"><a class="id" href="[^"]*" dir="auto">([^<]*)</a>', page)


FILTERS: dict[str, tuple[str, Any]] = {
    "workflow": ("errand", lambda agent: agent.workflow == "errand"),
    "state": ("asking.anybody", lambda agent: agent.state == "asking.anybody"),
    "status": ("waiting", lambda agent: agent.status is Status.WAITING),
    "user": ("ana", lambda agent: agent.user == "ana"),
    "label": ("team=field", lambda agent: agent.labels.get("team") == "field"),
    "q": ("1", lambda agent: agent.id.endswith("1")),
}


@pytest.mark.parametrize("names", [each for size in range(7) for each in combinations(FILTERS, size)], ids=" ".join)
def test_every_combination_of_filters_finds_what_has_them_all(
    door: Served, client: httpx2.Client, names: tuple[str, ...]
) -> None:
    found = client.get("/agents", params={name: FILTERS[name][0] for name in names})
    everybody = door.run(door.services["default"].runner.list(limit=100)).agents
    assert sorted(ids(found.text)) == sorted(
        agent.id for agent in everybody if all(FILTERS[name][1](agent) for name in names)
    )
    for name in set(names) - {"status"}:
        assert f'name="{name}" value="{FILTERS[name][0]}"' in found.text


def test_a_label_is_found_by_its_name_alone_and_the_newest_stand_first(client: httpx2.Client) -> None:
    assert ids(client.get("/agents?label=urgent").text) == [
        f"{'errand' if n % 2 else 'trip'}-{n:02}" for n in (20, 15, 10, 5, 0)
    ]
    assert ids(client.get("/agents?label=urgent=").text) == ids(client.get("/agents?label=urgent").text)
    assert ids(client.get("/agents?label=urgent=x").text) == []


def test_the_ways_to_a_status_count_those_that_are_looked_for(client: httpx2.Client) -> None:
    said = text_of(client.get("/agents?workflow=errand").text)
    assert "all 12" in said
    assert "waiting 12" in said
    assert "cancelled 0" in said
    everybody = client.get("/agents?user=ana").text
    assert 'class="count"' not in everybody


def test_nothing_is_found_is_said(client: httpx2.Client) -> None:
    for query in ("user=nobody", "q=nobody", "state=nowhere", "workflow=none", "label=none"):
        assert "No agent is like that." in text_of(client.get(f"/agents?{query}").text)
    assert len(ids(client.get("/agents?status=nonsense").text)) == 24
    wrong = client.get("/agents?after=nowhere")
    assert (wrong.status_code, 'class="top"' in wrong.text) == (422, True)
    assert client.get("/agents?label==x").status_code == 422


def test_pages_show_each_agent_once_while_others_come(tmp_path: Path) -> None:
    with served(tmp_path, workflows=(ERRAND,), drives=False) as door, door.client() as client:
        runner = door.services["default"].runner

        async def come(names: list[str]) -> None:
            for name in names:
                await runner.start(loads(ERRAND), id=name)

        door.run(come([f"agent-{number:03}" for number in range(130)]))
        address, seen = "/agents", list[str]()
        while address:
            page = client.get(address).text
            seen += ids(page)
            door.run(come([f"late-{len(seen)}"]))
            found = re.search(r'href="([^"]*)" rel="next"', page)
            address = html.unescape(found[1]) if found else ""
        assert seen == [f"agent-{number:03}" for number in reversed(range(130))]
        assert 'href="/agents">First page' in page
        found_by_id = client.get("/agents?q=agent").text
        assert len(ids(found_by_id)) == 50
        following = re.search(r'href="([^"]*)" rel="next"', found_by_id)
        assert following is not None
        assert ids(client.get(html.unescape(following[1])).text)[0] == "agent-050"


# --- parked agents


@pytest.fixture
def parked(tmp_path: Path) -> Iterator[Served]:
    """Three that are parked, and one that has gone on."""
    THERE.clear()
    with served(tmp_path, workflows=(HAUL,), actions=[fetch], drives=False) as one:
        runner = one.services["default"].runner

        async def live() -> None:
            for name in ("one", "two", "three"):
                await runner.start(loads(HAUL), id=name, data={"item": name})
            THERE.add("four")
            await runner.start(loads(HAUL), id="four", data={"item": "four"})

        one.run(live())
        yield one


def chosen(page: str) -> list[tuple[str, str]]:
    return [
        ("id", html.unescape(value)) for value in re.findall(r'<input type="hidden" name="id" value="([^"]*)"', page)
    ]


def post(client: httpx2.Client, pairs: list[tuple[str, str]]) -> httpx2.Response:
    return client.post(
        "/unpark", content=urlencode(pairs), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )


def test_parked_agents_are_chosen_and_go_on_together_after_a_question(parked: Served) -> None:
    with parked.client() as client:
        listed = client.get("/agents").text
        assert re.findall(r'name="id" value="([^"]*)"', listed) == ["three", "two", "one"]
        assert "KeyError: 'there is no one'" in text_of(listed)
        asked = client.get("/unpark?id=one&id=two&id=four&id=nobody&id=one").text
        assert "Unpark 2 agents?" in text_of(asked)
        assert "KeyError: 'there is no two'" in text_of(asked)
        assert [facts_of(parked, each).version for each in ("one", "two")] == [2, 2]
        THERE.update(("one", "two"))
        done = post(client, chosen(asked))
        assert (done.status_code, done.headers["location"]) == (303, "/agents?unparked=one&unparked=two")
        assert "Of 2 unparked agents, 2 are running now." in text_of(client.get(done.headers["location"]).text)
        assert "unparked" not in text_of(client.get("/agents?unparked=nobody").text)
    assert [facts_of(parked, each).status for each in ("one", "two")] == [Status.RUNNING] * 2
    assert facts_of(parked, "three").status is Status.PARKED


def test_whoever_has_moved_on_meanwhile_is_left_alone_and_named(parked: Served) -> None:
    with parked.client() as client:
        asked = client.get("/unpark?id=one&id=two").text
        parked.run(parked.services["default"].runner.cancel("one", by="fay"))
        done = post(client, chosen(asked))
        assert done.status_code == 409
        said = text_of(done.text)
        assert "Not all were unparked" in said
        assert "one" in said.split("Not all were unparked")[-1]
    assert facts_of(parked, "one").status is Status.CANCELLED


def test_nobody_parked_is_chosen_leads_to_those_who_are(parked: Served) -> None:
    with parked.client() as client:
        for query in ("", "?id=four", "?id=nobody"):
            assert client.get(f"/unpark{query}").headers["location"] == "/agents?status=parked"


@pytest.mark.parametrize(
    "pairs", [[], [("id", "one")], [("id", "x.one")], [("id", "9" * 5_000 + ".one")], [("ids", "2.one")]]
)
def test_a_form_that_names_nobody_as_they_were_does_nothing(parked: Served, pairs: list[tuple[str, str]]) -> None:
    THERE.add("one")
    with parked.client() as client:
        assert post(client, pairs).status_code == 303
    assert facts_of(parked, "one").version == 2
