"""The pages of workflows: where agents are and how long they stay, what happened over time, and the form of a start."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx2
import pytest

from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import load, loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.html_forms import parsed
from tests.support.pages import facts_of, text_of
from tests.support.runtime import flow
from tests.support.servers.in_thread import Served, served

GALLERY = sorted((Path(__file__).parents[3] / "workflows").glob("*.yaml"))

OLD = """
data: {count: {type: integer, default: 0}}
events: {go: {}, yes: {}}
initial: idle
states:
  idle: {on: {go: asking}}
  asking: {ask: {prompt: "Yes?", events: [yes]}, on: {yes: over}}
  over: {final: true}
"""
#: the file is newer than the agents: a state has another name, and there is one more
NEW = OLD.replace("asking", "waiting_for_yes").replace("states:\n", "states:\n  spare: {on: {yes: over}}\n")


def second(text: str) -> Workflow:
    return loads(f"workflow: w\nversion: 2\n{text}")


def lived(folder: Path, workflow: Workflow, lives: dict[str, list[tuple[str, int]]]) -> None:
    """Agents that lived before the server began: each event comes after so many minutes."""

    async def live() -> None:
        clock = FakeClock()
        async with Runner(open_store(f"sqlite:///{folder / 'agents.db'}", clock=clock)) as runner:
            for agent_id, events in lives.items():
                await runner.start(workflow, id=agent_id)
                for event, minutes in events:
                    clock.advance(minutes=minutes)
                    await runner.send(agent_id, event)

    asyncio.run(live())


def test_a_workflow_without_agents_shows_its_diagram_and_no_plots(tmp_path: Path) -> None:
    with served(tmp_path, workflows=(flow(OLD),)) as door, door.client() as client:
        page = client.get("/workflows/w").text
        assert "no agents" in text_of(client.get("/workflows").text)
    assert '<svg role="img" aria-label="Diagram of w' in page
    assert "Over time" not in page
    assert "How long agents stay" not in page


def test_occupancy_and_dwell_are_those_of_the_histories(tmp_path: Path) -> None:
    lives = {
        **{f"quick-{n}": [("go", 1), ("yes", 10)] for n in range(3)},
        "slow": [("go", 1), ("yes", 60)],
        "asks": [("go", 2)],
        "new": [],
    }
    lived(tmp_path, flow(OLD), lives)
    with served(tmp_path, workflows=(flow(OLD),)) as door, door.client() as client:
        page = client.get("/workflows/w").text
        listed = text_of(client.get("/workflows").text)
    assert "2 ○waiting4 ✓done" in listed
    said = text_of(page)
    dwell = said[said.index("How long agents stay") :]
    assert re.search(r"idle 1 min 2 min", dwell), dwell
    assert re.search(r"asking 10 min 1 h", dwell), dwell
    here = said[said.index("Where agents are now") :]
    assert "over 4" in here
    assert "asking 1" in here
    assert "idle 1" in here
    assert 'href="/agents?workflow=w&amp;state=over"' in page
    steps = re.findall(r"<title>[^<:]* [\d:]+: (\d+)</title>", page[page.index('class="plots"') :])
    assert sum(map(int, steps)) == sum(1 + len(events) for events in lives.values())
    assert "at most 1, last 1" in page


def test_one_agent_is_enough_for_plots(tmp_path: Path) -> None:
    lived(tmp_path, flow(OLD), {"one": []})
    with served(tmp_path, workflows=(flow(OLD),)) as door, door.client() as client:
        said = text_of(client.get("/workflows/w").text)
    assert "Over time of all agents" in said


def test_many_agents_are_sampled_and_the_page_says_so(tmp_path: Path) -> None:
    lived(tmp_path, flow(OLD), {f"agent-{number}": [] for number in range(230)})
    with served(tmp_path, workflows=(flow(OLD),), drives=False) as door, door.client() as client:
        said = text_of(client.get("/workflows/w").text)
    assert "those of the newest 200 agents" in said
    assert "idle 230" in said


def test_a_file_that_is_newer_than_the_agents(tmp_path: Path) -> None:
    lived(tmp_path, flow(OLD), {"old": [("go", 1)], "older": [("go", 1), ("yes", 1)]})
    with served(tmp_path, workflows=(second(NEW),)) as door, door.client() as client:
        page = client.get("/workflows/w").text
        assert "v1, v2" in text_of(client.get("/workflows").text)
    said = text_of(page)
    assert "w v2" in said
    assert "2 agents have another definition" in said
    assert "asking 1" in said[said.index("Where agents are now") :]
    assert "at most 1, last 1" in page


def test_agents_of_a_workflow_whose_file_is_gone_can_be_looked_at_and_none_started(tmp_path: Path) -> None:
    lived(tmp_path, flow(OLD), {"old": [("go", 1)]})
    with served(tmp_path, workflows=()) as door, door.client() as client:
        page = client.get("/workflows/w").text
        assert "asking 1" in text_of(page)
        assert "/start" not in page
        refused = client.get("/workflows/w/start")
        assert refused.status_code == 404, refused.text


@pytest.mark.parametrize("name", ["none", "<script>alert(1)<script>", "x" * 5_000])
def test_an_unknown_workflow_is_told(tmp_path: Path, name: str) -> None:
    with served(tmp_path, workflows=()) as door, door.client() as client:
        assert "There are no workflows." in text_of(client.get("/workflows").text)
        missing = client.get(f"/workflows/{quote(name)}")
        assert missing.status_code == 404
        assert "<script>alert" not in missing.text
        assert len(missing.text) < 5_000


def test_a_browser_at_an_address_that_is_none_is_shown_a_page_and_a_program_a_document(tmp_path: Path) -> None:
    with served(tmp_path, workflows=()) as door, door.client() as client:
        page = client.get("/workflows/a/b", headers={"Accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"][:9]) == (404, "text/html")
        wrong = client.post("/workflows", headers={"Accept": "text/html"})
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        for path, accept in (("/workflows/a/b", "*/*"), ("/v1/nowhere", "text/html")):
            document = client.get(path, headers={"Accept": accept})
            assert document.headers["content-type"] == "application/problem+json"


# --- the form of a start


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    modules = ("examples.agent_lifecycle", "examples.book_flight.actions", "examples.expense_approval.actions")
    gallery = [load(file) for file in GALLERY]
    with served(tmp_path_factory.mktemp("start"), workflows=gallery, modules=modules, drives=False) as one:
        yield one


@pytest.fixture
def client(door: Served) -> Iterator[httpx2.Client]:
    with door.client() as client:
        yield client


def start_form(page: str) -> tuple[str, list[tuple[str, str]]]:
    [(action, inner)] = re.findall(
        r'<form class="form start card" method="post" action="([^"]*)">(.*?)</form>', page, re.DOTALL
    )
    return action.replace("&amp;", "&"), parsed(inner).pairs()


def send(client: httpx2.Client, action: str, pairs: list[tuple[str, str]], **typed: str) -> httpx2.Response:
    named = {name.replace("__", "/"): text for name, text in typed.items()}
    content = urlencode([(name, named.get(name, text)) for name, text in pairs])
    return client.post(action, content=content, headers={"Content-Type": "application/x-www-form-urlencoded"})


#: what must be typed for an agent to begin
TYPED = {
    "agent_lifecycle": {"__payload__goal": "Write to the landlord"},
    "book_flight": {"__payload__goal": "Fly"},
    "chat": {"__payload__text": "Hello"},
    "deep_research": {"__payload__question": "Why?"},
    "expense_approval": {"__payload__receipts": "r.csv"},
    "support_triage": {"__payload__message": "Help", "__payload__customer": "Bob"},
    "tidy_repo": {"__payload__folder": "."},
}


@pytest.mark.parametrize("name", [file.stem for file in GALLERY])
def test_an_agent_of_every_workflow_of_the_gallery_can_be_started(
    door: Served, client: httpx2.Client, name: str
) -> None:
    action, pairs = start_form(client.get(f"/workflows/{name}/start").text)
    typed = {**TYPED[name], "__about__id": f"my-{name}", "__about__labels": "team=field\nurgent"}
    done = send(client, action, pairs, **typed)
    assert done.status_code == 303, text_of(done.text)
    assert done.headers["location"] == f"/agents/my-{name}"
    assert facts_of(door, f"my-{name}").labels == {"team": "field", "urgent": ""}
    again = send(client, action, pairs, **typed)
    assert (again.status_code, again.headers["location"]) == (303, f"/agents/my-{name}")


@pytest.mark.parametrize("name", [file.stem for file in GALLERY])
def test_the_form_with_all_fields_begins_with_the_defaults(door: Served, client: httpx2.Client, name: str) -> None:
    action, pairs = start_form(client.get(f"/workflows/{name}/start?all=1").text)
    done = send(client, action, pairs, **TYPED[name], __about__id=f"all-{name}")
    assert done.status_code == 303, text_of(done.text)


def test_wrong_input_of_a_start_is_kept(client: httpx2.Client) -> None:
    action, pairs = start_form(client.get("/workflows/expense_approval/start").text)
    refused = send(client, action, pairs, __about__id="no id/", __about__user="zoë", __about__labels="=x")
    assert refused.status_code == 422
    _, kept = start_form(refused.text)
    assert {("/about/id", "no id/"), ("/about/user", "zoë"), ("/about/labels", "=x")} <= set(kept)
    assert dict(kept)["key"] == dict(pairs)["key"]


def test_a_label_that_is_given_twice_starts_no_agent_and_both_texts_are_kept(
    door: Served, client: httpx2.Client
) -> None:
    action, pairs = start_form(client.get("/workflows/expense_approval/start").text)
    typed = {**TYPED["expense_approval"], "__about__id": "twice", "__about__labels": "team=a\nurgent\nteam=b"}
    refused = send(client, action, pairs, **typed)
    assert (refused.status_code, "'team' stands there twice" in text_of(refused.text)) == (422, True)
    _, kept = start_form(refused.text)
    assert ("/about/labels", "team=a\r\nurgent\r\nteam=b") in kept
    assert client.get("/agents/twice").status_code == 404


def test_an_id_that_is_taken_is_told_and_all_is_kept(client: httpx2.Client) -> None:
    action, pairs = start_form(client.get("/workflows/support_triage/start").text)
    typed = {**TYPED["support_triage"], "__about__id": "taken"}
    assert send(client, action, pairs, **typed).status_code == 303
    action, pairs = start_form(client.get("/workflows/support_triage/start").text)
    refused = send(client, action, pairs, **typed)
    assert refused.status_code == 409
    _, kept = start_form(refused.text)
    assert {("/about/id", "taken"), ("/payload/message", "Help")} <= set(kept)


def test_a_form_that_has_started_one_agent_says_so_and_starts_another_when_asked_again(client: httpx2.Client) -> None:
    action, pairs = start_form(client.get("/workflows/support_triage/start").text)
    assert (
        send(client, action, pairs, __payload__message="one", __payload__customer="Bob", __about__id="key").status_code
        == 303
    )
    told = send(client, action, pairs, __payload__message="two", __payload__customer="Bob", __about__id="key")
    assert "has already started an agent" in text_of(told.text)
    action, kept = start_form(told.text)
    assert ("/payload/message", "two") in kept
    assert send(client, action, kept, __about__id="key-2").status_code == 303


def test_another_first_event_and_none_can_be_chosen(door: Served, client: httpx2.Client) -> None:
    page = client.get("/workflows/expense_approval/start?event=").text
    action, pairs = start_form(page)
    assert ("event", "") in pairs
    assert send(client, action, pairs, __about__id="waits").status_code == 303
    assert facts_of(door, "waits").version == 1
    assert 'aria-current="true">Submit' in client.get("/workflows/expense_approval/start?event=nonsense").text


def test_who_may_start_and_not_look_is_told_that_it_has_begun(tmp_path: Path) -> None:
    with served(tmp_path, workflows=(flow(OLD),), has_tokens=True) as door:
        with door.client(door.token("op", "operate")) as client:
            action, pairs = start_form(client.get("/workflows/w/start").text)
            done = send(client, action, pairs, __about__id="one")
        assert (done.status_code, "The agent one has begun." in text_of(done.text)) == (200, True)


def test_older_versions_are_shown_with_what_their_agents_did(tmp_path: Path) -> None:
    lived(tmp_path, flow(OLD), {"old": [("go", 1), ("yes", 30)]})
    lived(tmp_path, second(NEW), {"new": [("go", 1)]})
    with served(tmp_path, workflows=(second(NEW),)) as door, door.client() as client:
        newest, older = client.get("/workflows/w").text, client.get("/workflows/w?version=1").text
        missing = client.get("/workflows/w?version=3")
    assert 'href="/workflows/w?version=1">v1</a>' in newest
    assert 'href="/workflows/w" aria-current="true">v2</a>' in newest
    assert "Start an agent" in text_of(newest)
    said = text_of(older)
    assert "w v1" in said
    assert "no longer the newest version" in said
    assert "Start an agent" not in said
    assert "asking 30 min" in said
    assert re.search(r"<svg.*waiting_for_yes.*</svg>", newest, re.DOTALL)
    assert not re.search(r"<svg.*waiting_for_yes.*</svg>", older, re.DOTALL)
    assert missing.status_code == 404
    assert "there is no version '3'" in text_of(missing.text)
