"""Agents over HTTP: what is repeated, what is meant for a version or a question, and how an event fares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx2
import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.message import Message, Role, own_thread
from tests.support.servers.in_thread import Served, problem, served

START: Final[dict[str, Any]] = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}}


class Desk:
    """What the action of the errand does, as a test says by the item."""

    def __init__(self) -> None:
        self.released: asyncio.Event | None = None

    def as_action(self) -> Any:
        @action(name="fetch")
        async def fetch(ctx: Context) -> str:
            if self.released is None:
                self.released = asyncio.Event()
            match ctx.data.item:
                case "glass":
                    raise ValueError("it broke")
                case "letter":
                    ctx.outputs.pending(own_thread(ctx.agent_id)).extend(
                        Message(Role.USER, f"line {number}") for number in range(1, 8)
                    )
                case "coin":
                    await ctx.effect("pay", lambda: {"paid": 7})
                case "stamp":
                    await ctx.effect("pay", _broken, mode="at_most_once")
                case "parcel":
                    await self.released.wait()
            return "fetched"

        return fetch


def _broken() -> None:
    raise ConnectionError("the line broke")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("agents"), actions=[desk.as_action()], has_tokens=True) as one:
        for name in ("ana", "bob"):
            one.secrets[name] = one.token(name)
        yield one


@pytest.fixture(scope="module")
def ana(door: Served) -> Iterator[httpx2.Client]:
    with door.client(door.secrets["ana"]) as client:
        yield client


@pytest.fixture(scope="module")
def bob(door: Served) -> Iterator[httpx2.Client]:
    with door.client(door.secrets["bob"]) as client:
        yield client


def started(client: httpx2.Client, item: str = "book", **more: Any) -> str:
    """The address of an agent that asks whether it may fetch something."""
    made = client.post("/v1/agents", json={**START, "payload": {"item": item, **more}})
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def approved(client: httpx2.Client, agent: str, *, wait_s: int = 30) -> Any:
    headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
    done = client.post(f"{agent}/answer", json={"question": 2, "event": "approve"}, headers=headers)
    assert done.status_code == 200, done.text
    return done.json()


# --- to start, and to start again


def test_a_new_agent_is_told_with_where_it_is_and_its_version(ana: httpx2.Client) -> None:
    made = ana.post("/v1/agents", json={**START, "user": "zoe", "labels": {"shop": "north"}})
    agent = made.json()
    assert (made.status_code, made.headers["etag"]) == (201, '"2"')
    assert made.headers["location"] == f"/v1/agents/{agent['id']}"
    assert (agent["state"], agent["status"], agent["delivery"]) == ("asking.anybody", "waiting", "applied")
    assert (agent["user"], agent["labels"]) == ("zoe", {"shop": "north"})
    shown = ana.get(made.headers["location"])
    assert shown.headers["etag"] == '"2"'
    assert {**shown.json(), "delivery": "applied"} == agent


def test_a_repeated_start_returns_the_agent_that_was_made(door: Served, ana: httpx2.Client) -> None:
    headers = {"Idempotency-Key": "start-1"}
    first = ana.post("/v1/agents", json=START, headers=headers)
    writes = door.writes
    again = ana.post("/v1/agents", json=START, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["delivery"]) == (first.json()["id"], "duplicate")
    assert again.headers["location"] == first.headers["location"]
    other = ana.post("/v1/agents", json={**START, "payload": {"item": "lamp"}}, headers=headers)
    assert problem(other, 422)["type"] == "urn:fsm-agent:problem:key-reuse"
    assert door.writes == writes


def test_a_key_is_not_for_an_agent_with_another_id(door: Served, ana: httpx2.Client) -> None:
    made = ana.post("/v1/agents", json={"workflow": "errand"}).json()
    for path, body in (("/v1/agents", {"workflow": "errand"}), (f"/v1/agents/{made['id']}/fork", {})):
        key = {"Idempotency-Key": f"one-id:{path}"}
        first = ana.post(path, json=body, headers=key).json()
        assert ana.post(path, json={**body, "id": first["id"]}, headers=key).json()["delivery"] == "duplicate"
        before = door.writes
        told = problem(ana.post(path, json={**body, "id": "another"}, headers=key), 422)
        assert told["type"] == "urn:fsm-agent:problem:key-reuse"
        assert door.writes == before
    problem(ana.get("/v1/agents/another"), 404)


def test_of_many_starts_at_once_under_one_key_one_makes_an_agent(door: Served) -> None:
    def start(_: int) -> httpx2.Response:
        with door.client(door.secrets["ana"], **{"Idempotency-Key": "start-2"}) as client:
            return client.post("/v1/agents", json=START)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert sorted(each.status_code for each in answers) == [200] * 7 + [201]
    assert len({each.json()["id"] for each in answers}) == 1


def test_a_first_event_that_is_refused_makes_no_agent(door: Served, ana: httpx2.Client) -> None:
    before = door.writes
    headers = {"Idempotency-Key": "start-3"}
    refused = problem(ana.post("/v1/agents", json={**START, "event": "approve", "payload": {}}, headers=headers), 409)
    assert refused["allowed"] == ["wanted", "noted", "cancel"]
    unknown = problem(ana.post("/v1/agents", json={**START, "event": "wnted"}, headers=headers), 422)
    assert "did you mean `wanted`?" in unknown["detail"]
    wrong = problem(ana.post("/v1/agents", json={**START, "payload": {"itm": 1}}, headers=headers), 422)
    assert len(wrong["problems"]) == 2
    assert door.writes == before
    assert ana.post("/v1/agents", json=START, headers=headers).status_code == 201


def test_data_that_break_the_workflow_s_schema_are_told_field_by_field(ana: httpx2.Client) -> None:
    told = problem(ana.post("/v1/agents", json={"workflow": "errand", "data": {"notes": 1, "itm": ""}}), 422)
    assert (told["title"], len(told["problems"])) == ("Data invalid", 2)


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "<script>a()</script>", "\x1b[31mred", "\u202eright to left", "a\u0000b", "🧾" * 999, '"\\/\b\n\t'],
    ids=["long", "markup", "ansi", "bidi", "nul", "astral", "escapes"],
)  # fmt: skip
def test_a_text_comes_back_whole(ana: httpx2.Client, text: str) -> None:
    agent = started(ana, text)
    assert ana.get(agent).json()["data"]["item"] == text
    assert ana.get(agent).json()["question"]["prompt"] == f"May it be {text}?"
    assert ana.get(f"{agent}/steps").json()["steps"][1]["payload"]["item"] == text
    done = ana.post(f"{agent}/answer", json={"question": 2, "event": "reject", "payload": {"reason": text}})
    assert done.json()["data"]["note"] == text


# --- to send, and to send again


def test_an_event_under_a_key_is_taken_once(door: Served, ana: httpx2.Client) -> None:
    agent, headers = started(ana), {"Idempotency-Key": "note-1"}
    body = {"event": "noted", "payload": {"text": "soon"}}
    first = ana.post(f"{agent}/events", json=body, headers=headers).json()
    writes = door.writes
    again = ana.post(f"{agent}/events", json=body, headers=headers).json()
    assert (first["delivery"], again["delivery"]) == ("applied", "duplicate")
    assert again["data"]["notes"] == ["soon"]
    other = ana.post(f"{agent}/events", json={**body, "payload": {"text": "late"}}, headers=headers)
    assert problem(other, 422)["type"] == "urn:fsm-agent:problem:key-reuse"
    assert door.writes == writes


def test_what_is_not_allowed_now_is_refused_and_tells_what_is(door: Served, ana: httpx2.Client) -> None:
    agent, before = started(ana), door.writes
    illegal = problem(ana.post(f"{agent}/events", json={"event": "wanted", "payload": {"item": "x"}}), 409)
    assert illegal["allowed"] == ["approve", "reject", "noted", "cancel"]
    guarded = started(ana, "moon")
    before = door.writes
    refused = problem(ana.post(f"{guarded}/answer", json={"question": 2, "event": "approve"}), 409)
    assert 'data.item != "moon"' in refused["detail"]
    assert door.writes == before


def test_an_event_for_an_action_at_work_is_queued_until_that_ends(door: Served, ana: httpx2.Client, desk: Desk) -> None:
    agent = started(ana, "parcel")
    assert approved(ana, agent, wait_s=0)["status"] == "running"
    queued = ana.post(f"{agent}/events", json={"event": "noted", "payload": {"text": "hurry"}}).json()
    assert (queued["delivery"], queued["status"]) == ("queued", "running")

    def watch() -> Any:
        with door.client(door.secrets["bob"], Prefer="wait=30") as client:
            return client.post(f"{agent}/resume").json()

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(watch)
        assert desk.released is not None
        door.loop.call_soon_threadsafe(desk.released.set)
        assert ended.result(30)["status"] == "done"
    steps = ana.get(f"{agent}/steps").json()["steps"]
    assert [(step["kind"], step["event"]) for step in steps[3:]] == [("event", "fetched"), ("refused", "noted")]


def test_who_prefers_to_wait_gets_the_agent_at_rest_and_is_told_that_it_was_so(ana: httpx2.Client) -> None:
    agent = started(ana)
    done = ana.post(
        f"{agent}/answer",
        json={"question": 2, "event": "approve"},
        headers={"Prefer": "respond-async, Wait=9999; x=1"},
    )
    assert done.headers["preference-applied"] == "wait=60"
    assert (done.json()["status"], done.json()["output"]) == ("done", {"item": "book"})
    assert (done.json()["delivery"], done.headers["etag"]) == ("applied", '"4"')


@pytest.mark.parametrize("preference", ["return=minimal", "wait", "wait=soon", "wait=-1", "await=9", "wait=0"])
def test_a_preference_that_is_not_known_is_ignored(ana: httpx2.Client, preference: str) -> None:
    agent = started(ana)
    noted = ana.post(
        f"{agent}/events", json={"event": "noted", "payload": {"text": ""}}, headers={"Prefer": preference}
    )
    assert noted.status_code == 200
    assert "preference-applied" not in noted.headers


# --- meant for a version


@pytest.mark.parametrize("path", ["events", "answer", "cancel", "unpark", "rewind", "resume"])
def test_what_is_meant_for_another_version_fails_and_tells_which_there_is(
    door: Served, ana: httpx2.Client, path: str
) -> None:
    agent = started(ana)
    bodies: dict[str, Any] = {
        "events": {"event": "reject", "payload": {"reason": ""}},
        "answer": {"question": 2, "event": "reject", "payload": {"reason": ""}},
        "rewind": {"version": 1},
    }
    if path == "unpark":
        parked(ana, agent)
    else:
        ana.post(f"{agent}/events", json={"event": "noted", "payload": {"text": ""}})
    there, before = ana.get(agent).json()["version"], door.writes
    for version in (there - 1, there + 1, 9_007_199_254_740_991 // 10):
        headers = {"If-Match": f'"{version}"'}
        told = problem(ana.post(f"{agent}/{path}", json=bodies.get(path, {}), headers=headers), 412)
        assert (told["type"], told["version"]) == ("urn:fsm-agent:problem:conflict", there)
    assert door.writes == before
    done = ana.post(f"{agent}/{path}", json=bodies.get(path, {}), headers={"If-Match": f'W/"{there}"'})
    assert done.status_code == 200, done.text


def parked(client: httpx2.Client, agent: str) -> None:
    """Park an agent before its action."""
    approved(client, agent)
    done = client.post(f"{agent}/rewind", json={"version": 3}).json()
    assert (done["status"], done["state"]) == ("parked", "fetching")


def test_what_happened_since_is_told_to_who_was_too_late(ana: httpx2.Client, bob: httpx2.Client) -> None:
    agent = started(ana)
    bob.post(f"{agent}/events", json={"event": "noted", "payload": {"text": "mine"}})
    answer = {"question": 2, "event": "reject", "payload": {"reason": ""}}
    told = problem(ana.post(f"{agent}/answer", json=answer, headers={"If-Match": '"2"'}), 412)
    assert "bob sent 'noted' (notes)" in told["detail"]


def test_any_version_will_do_for_an_asterisk(ana: httpx2.Client) -> None:
    agent = started(ana)
    ana.post(f"{agent}/events", json={"event": "noted", "payload": {"text": ""}})
    assert ana.post(f"{agent}/cancel", headers={"If-Match": "*"}).json()["status"] == "cancelled"
    problem(ana.post("/v1/agents/nobody/cancel", headers={"If-Match": "*"}), 404)


# --- meant for a question


def test_an_answer_is_for_the_question_that_it_names(door: Served, ana: httpx2.Client) -> None:
    agent, before = started(ana), door.writes
    unnamed = problem(ana.post(f"{agent}/answer", json={"event": "approve"}), 428)
    assert unnamed["type"] == "urn:fsm-agent:problem:question-unnamed"
    never = problem(ana.post(f"{agent}/answer", json={"question": 1, "event": "approve"}), 412)
    assert ("has asked no question 1" in never["detail"], never["question"]) == (True, 2)
    unclear = problem(ana.post(f"{agent}/answer", json={"question": 2}), 422)
    assert unclear["allowed"] == ["approve", "reject"]
    other = problem(ana.post(f"{agent}/answer", json={"question": 2, "event": "noted"}), 409)
    assert other["allowed"] == ["approve", "reject"]
    wrong = problem(ana.post(f"{agent}/answer", json={"question": 2, "event": "reject"}), 422)
    assert wrong["problems"] == ["reason must be given: it has no default and may not be null"]
    assert door.writes == before


def test_who_answers_a_closed_question_is_told_what_became_of_it(
    door: Served, ana: httpx2.Client, bob: httpx2.Client
) -> None:
    agent = started(ana)
    approved(ana, agent)
    before = door.writes
    told = problem(bob.post(f"{agent}/answer", json={"question": 2, "event": "reject", "payload": {"reason": ""}}), 412)
    assert told["type"] == "urn:fsm-agent:problem:question-closed"
    assert "ana answered 'approve' at version 3; it asks nothing now" in told["detail"]
    assert door.writes == before


def test_of_two_who_answer_at_once_one_is_told_of_the_other(door: Served, ana: httpx2.Client) -> None:
    agent = started(ana)

    def answer(name: str) -> httpx2.Response:
        with door.client(door.secrets[name]) as client:
            return client.post(f"{agent}/answer", json={"question": 2, "event": "reject", "payload": {"reason": name}})

    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(("ana", "bob"), pool.map(answer, ("ana", "bob")), strict=True))
    winner, loser = sorted(answers, key=lambda name: answers[name].status_code)
    assert [answers[winner].status_code, answers[loser].status_code] == [200, 412]
    assert f"{winner} answered 'reject'" in answers[loser].json()["detail"]
    assert ana.get(agent).json()["data"]["note"] == winner


def test_a_repeated_answer_is_known_by_its_key_after_its_question_is_closed(ana: httpx2.Client) -> None:
    agent, headers = started(ana), {"Idempotency-Key": "answer-1"}
    body = {"question": 2, "event": "reject", "payload": {"reason": "no"}}
    assert ana.post(f"{agent}/answer", json=body, headers=headers).json()["delivery"] == "applied"
    assert ana.post(f"{agent}/answer", json=body, headers=headers).json()["delivery"] == "duplicate"


def test_a_question_is_for_those_whom_it_names(door: Served, ana: httpx2.Client, bob: httpx2.Client) -> None:
    agent = started(ana, approvers=["bob"])
    assert ana.get(agent).json()["question"]["to"] == "bob"
    before = door.writes
    told = problem(ana.post(f"{agent}/answer", json={"question": 2, "event": "approve"}), 403)
    assert told["type"] == "urn:fsm-agent:problem:not-addressee"
    assert "the question is for bob" in told["detail"]
    assert door.writes == before
    assert bob.post(f"{agent}/answer", json={"question": 2, "event": "approve"}).status_code == 200


def test_an_agent_that_asks_nothing_says_so(ana: httpx2.Client) -> None:
    agent = ana.post("/v1/agents", json={"workflow": "errand"}).headers["location"]
    told = problem(ana.post(f"{agent}/answer", json={"question": 1, "event": "approve"}), 412)
    assert "asks nothing now" in told["detail"]


# --- parked, rewound, forked


def test_a_parked_agent_tries_again_or_takes_an_event(ana: httpx2.Client) -> None:
    agent = started(ana)
    parked(ana, agent)
    shown = ana.get(agent).json()
    assert "--" not in shown["error"]["message"]
    assert shown["allowed"] == ["cancel"]
    illegal = problem(ana.post(f"{agent}/events", json={"event": "noted", "payload": {"text": ""}}), 409)
    assert "the agent is parked" in illegal["detail"]
    again = ana.post(f"{agent}/unpark", json={}, headers={"Prefer": "wait=30"}).json()
    assert (again["status"], again["output"]) == ("done", {"item": "book"})
    problem(ana.post(f"{agent}/unpark", json={}), 409)
    ana.post(f"{agent}/rewind", json={"version": 3})
    other = ana.post(f"{agent}/unpark", json={"event": "fetched"})
    assert other.json()["status"] == "done", other.text


@pytest.mark.parametrize(
    "body",
    [
        {"effect": "k"},
        {"effect": "k", "not_done": False},
        {"effect": "k", "not_done": True, "result": 1},
        {"effect": "k", "result": 1, "event": "error"},
        {"result": 1},
        {"not_done": True},
        {"payload": {"text": "x"}},
        {"not_done": "yes"},
    ],
)
def test_half_of_a_settlement_is_invalid(door: Served, ana: httpx2.Client, body: dict[str, Any]) -> None:
    agent = started(ana)
    parked(ana, agent)
    before = door.writes
    problem(ana.post(f"{agent}/unpark", json=body), 422)
    assert door.writes == before
    assert problem(ana.post(f"{agent}/unpark", json={"effect": "nothing", "not_done": True}), 409)


def test_an_effect_is_told_with_its_key_and_its_result(ana: httpx2.Client) -> None:
    agent = started(ana, "coin")
    assert approved(ana, agent)["status"] == "done"
    [effect] = ana.get(f"{agent}/effects").json()["effects"]
    assert (effect["name"], effect["result"], effect["activation"]) == ("pay", {"paid": 7}, 3)
    assert effect["ended_at"] is not None
    back = ana.post(f"{agent}/rewind", json={"version": 2})
    assert back.json()["state"] == "asking.anybody"
    assert len(ana.get(f"{agent}/effects").json()["effects"]) == 1


@pytest.mark.parametrize("said", [{"result": {"paid": 7}}, {"result": None}, {"not_done": True}])
def test_an_effect_in_doubt_is_settled_by_its_key(door: Served, ana: httpx2.Client, said: dict[str, Any]) -> None:
    agent = started(ana, "stamp")
    doubtful = approved(ana, agent)
    assert (doubtful["status"], doubtful["error"]["type"]) == ("parked", "EffectInDoubt")
    [effect] = ana.get(f"{agent}/effects").json()["effects"]
    assert (effect["mode"], effect["ended_at"]) == ("at_most_once", None)
    assert effect["key"] in doubtful["error"]["message"]
    done = ana.post(f"{agent}/unpark", json={"effect": effect["key"], **said}, headers={"Prefer": "wait=30"}).json()
    if "not_done" in said:
        assert (done["status"], done["error"]["type"]) == ("parked", "EffectInDoubt")
    else:
        assert done["status"] == "done", done
        assert ana.get(f"{agent}/effects").json()["effects"][0]["result"] == said["result"]


def test_a_fork_begins_where_the_other_agent_was(ana: httpx2.Client) -> None:
    agent = started(ana)
    headers = {"Idempotency-Key": "fork-1"}
    made = ana.post(f"{agent}/fork", json={"version": 2}, headers=headers)
    again = ana.post(f"{agent}/fork", json={"version": 2}, headers=headers)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"] != agent.rpartition("/")[2]
    assert made.headers["location"] == f"/v1/agents/{made.json()['id']}"
    problem(ana.post(f"{agent}/fork", json={"version": 9}), 404)
    problem(ana.post(f"{agent}/fork", json={"id": made.json()["id"]}), 409)


def test_an_agent_that_failed_says_why(ana: httpx2.Client) -> None:
    failed = approved(ana, started(ana, "glass"))
    assert (failed["status"], failed["data"]["note"]) == ("failed", "it broke")


# --- what there is to read


def test_an_earlier_version_is_shown_as_it_was(ana: httpx2.Client) -> None:
    agent = started(ana)
    approved(ana, agent)
    then = ana.get(f"{agent}?at=2")
    assert (then.json()["state"], then.headers["etag"]) == ("asking.anybody", '"2"')
    assert ana.get(agent).json()["status"] == "done"


def test_a_conversation_is_paged_back_to_its_beginning(ana: httpx2.Client) -> None:
    agent = started(ana, "letter")
    approved(ana, agent)
    pages: list[list[str]] = []
    page = ana.get(f"{agent}/messages?limit=3").json()
    while True:
        pages.insert(0, [each["content"] for each in page["messages"]])
        if page["earlier"] is None:
            break
        page = ana.get(f"{agent}/messages?limit=3&before={page['earlier']}").json()
    assert pages == [["line 1"], ["line 2", "line 3", "line 4"], ["line 5", "line 6", "line 7"]]
    assert ana.get(f"{started(ana)}/messages").json() == {"messages": [], "earlier": None}
    problem(ana.get(f"{agent}/messages?before=x"), 422)


def test_an_agent_without_children_has_none(ana: httpx2.Client) -> None:
    assert ana.get(f"{started(ana)}/children").json() == {"children": [], "total": 0}
