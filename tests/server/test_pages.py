"""Lists, page by page to their end, while agents come and go: none is told twice, and none that stays is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2
import pytest

from tests.support.servers.in_thread import Served, problem, served

START: Final[dict[str, Any]] = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}}


@pytest.fixture
def door(tmp_path: Any) -> Iterator[Served]:
    with served(tmp_path, drives=False) as one:
        yield one


@pytest.fixture
def client(door: Served) -> Iterator[httpx2.Client]:
    with door.client() as one:
        yield one


def start(client: httpx2.Client, name: str, *, approvers: list[str] | None = None, **more: Any) -> None:
    payload = {"item": name, "approvers": approvers or []}
    assert client.post("/v1/agents", json={**START, "payload": payload, "id": name, **more}).status_code == 201


def names(number: int) -> list[str]:
    return [f"a-{each:02}" for each in range(number)]


def read(
    client: httpx2.Client, path: str, between: Callable[[list[str]], None] = lambda _: None, *, what: str = "agents"
) -> list[Any]:
    """All entries of a list; ``between`` is called with the ids of each page before the next is read."""
    found: list[Any] = []
    after: str | int | None = None
    while True:
        page = client.get(path if after is None else f"{path}&after={httpx2.QueryParams({'x': after})['x']}").json()
        assert len(page[what]) <= 3
        found += page[what]
        if page["next"] is None:
            return found
        between([each.get("id", "") for each in page[what]])
        after = page["next"]


def ids(agents: list[Any]) -> list[str]:
    return [each["id"] for each in agents]


@pytest.mark.parametrize(
    "query",
    ["", "&status=waiting", "&workflow=errand", "&state=asking.anybody", "&user=zoe", "&label=shop",
     "&label=shop%3Dnorth", "&newest=true", "&newest=true&user=zoe&label=shop&status=waiting"],
)  # fmt: skip
def test_a_list_has_every_agent_once(client: httpx2.Client, query: str) -> None:
    for name in names(11):
        start(client, name, user="zoe", labels={"shop": "north"})
    found = ids(read(client, f"/v1/agents?limit=3{query}"))
    assert found == (list(reversed(names(11))) if "newest" in query else names(11))


@pytest.mark.parametrize("query", ["", "&status=waiting", "&label=shop", "&newest=true"])
def test_a_list_goes_on_while_agents_come_and_go(client: httpx2.Client, query: str) -> None:
    for name in names(11):
        start(client, name, labels={"shop": "north"})
    come = iter(f"a-{each:02}-new" for each in range(11))

    def change(shown: list[str]) -> None:
        client.post(f"/v1/agents/{shown[-1]}/cancel")  # the one that the next page is told to go on after
        start(client, next(come), labels={"shop": "north"})

    found = ids(read(client, f"/v1/agents?limit=3{query}", change))
    assert len(found) == len(set(found))
    assert set(names(11)) <= set(found)


def test_a_selection_leaves_all_others_out(client: httpx2.Client) -> None:
    start(client, "one", user="zoe", labels={"shop": "north", "note": ""})
    start(client, "two", user="ann", labels={"shop": "south"})
    client.post("/v1/agents/two/cancel")
    for query, found in {
        "user=zoe": ["one"],
        "label=shop%3Dsouth": ["two"],
        "label=note": ["one"],
        "label=note%3D": ["one"],
        "label=shop%3D": [],
        "status=cancelled": ["two"],
        "status=running": [],
        "state=asking.anybody": ["one", "two"],
        "state=asking.anybody&status=waiting": ["one"],
        "state=asking": [],
        "workflow=other": [],
        "user=zoe&label=shop%3Dsouth": [],
    }.items():
        assert ids(client.get(f"/v1/agents?{query}").json()["agents"]) == found, query


def test_questions_come_in_the_order_of_urgency_and_end_while_they_are_answered(client: httpx2.Client) -> None:
    for name in names(11):
        start(client, name)
    answered: list[str] = []

    def answer(shown: list[str]) -> None:
        for name in (shown[-1], "a-09"):
            if name not in answered:
                body = {"question": 2, "event": "reject", "payload": {"reason": ""}}
                assert client.post(f"/v1/agents/{name}/answer", json=body).status_code == 200
                answered.append(name)

    found = read(client, "/v1/questions?limit=3", answer)
    assert ids(found) == [name for name in names(11) if name != "a-09"]
    assert [each["question"]["deadline"] for each in found] == sorted(each["question"]["deadline"] for each in found)
    left = ids(read(client, "/v1/questions?limit=3"))
    assert left == [name for name in names(11) if name not in answered]


def test_questions_are_mine_anybody_s_or_somebody_s(client: httpx2.Client) -> None:
    start(client, "free")
    start(client, "for-ana", approvers=["ana", "bob"])
    start(client, "for-bob", approvers=["bob"])
    for query, found in {
        "": ["free", "for-ana", "for-bob"],
        "to=me": ["for-ana"],
        "to=ana": ["for-ana"],
        "to=bob": ["for-ana", "for-bob"],
        "to=anybody": ["free"],
        "to=eve": [],
        "workflow=other": [],
        "workflow=errand&to=me": ["for-ana"],
    }.items():
        assert ids(client.get(f"/v1/questions?{query}").json()["agents"]) == found, query


def test_without_a_name_nobody_is_me(tmp_path: Any) -> None:
    with served(tmp_path, drives=False, operator=None) as door, door.client() as client:
        assert client.get("/v1/questions").status_code == 200
        assert "give a name" in problem(client.get("/v1/questions?to=me"), 422)["detail"]
        problem(client.get("/v1/questions?to=%20"), 422)


@pytest.mark.parametrize("path", ["/v1/agents", "/v1/questions"])
@pytest.mark.parametrize("after", ["x", "0", "%00", "a-00", "9" * 21, "é", "~1~2~3", "..", "'; --", "{}"])
def test_a_place_that_no_page_has_named_is_told_or_is_a_place(client: httpx2.Client, path: str, after: str) -> None:
    start(client, "a-00")
    answer = client.get(f"{path}?after={after}")
    if answer.status_code != 200:
        problem(answer, 422)


def test_steps_are_paged_by_version(client: httpx2.Client) -> None:
    start(client, "one")
    for number in range(9):
        client.post("/v1/agents/one/events", json={"event": "noted", "payload": {"text": str(number)}})
    found = read(client, "/v1/agents/one/steps?limit=3", what="steps")
    assert [step["version"] for step in found] == list(range(1, 12))
    assert client.get("/v1/agents/one/steps?after=11").json() == {"id": "one", "steps": [], "next": None}
    assert client.get("/v1/agents/one/steps?after=9007199254740991").json()["steps"] == []
    whole = client.get("/v1/agents/one/steps?limit=11").json()
    assert (len(whole["steps"]), whole["next"]) == (11, None)


def test_a_page_says_whether_there_is_another(client: httpx2.Client) -> None:
    for name in names(4):
        start(client, name)
    assert client.get("/v1/agents?limit=4").json()["next"] is None
    assert client.get("/v1/agents?limit=3").json()["next"] is not None
    assert client.get("/v1/questions?limit=4").json()["next"] is None
    assert client.get("/v1/agents").json()["damaged"] == []
