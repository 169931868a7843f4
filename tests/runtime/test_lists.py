"""Lists of agents: by what they are selected, in which order, where they go on; the inbox; and how many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Runner, Status, open_store, sync
from fsm_agent.domain.selection import ANYBODY, Tally
from fsm_agent.domain.summary import AgentPage
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, on_loop

DESK = flow("""
    data: {for: {type: array, items: {type: string}, default: [boss]}, left: string?}
    events: {ask: {}, call: {}, said: {}, close: {}}
    initial: idle
    states:
      idle: {on: {ask: asking, call: calling, close: closed}}
      asking:
        ask: {prompt: "Well, {{ data.left }}?", events: [said], to: data.for}
        on: {said: answered, ask: hurrying, close: closed}
      calling:
        ask: {prompt: "Anybody?", events: [said]}
        on: {said: answered}
      hurrying:
        ask: {prompt: "Well, {{ data.left }}?", events: [said], to: data.for}
        after: {1h: closed}
        on: {said: answered}
      answered: {final: true}
      closed: {final: true, outcome: cancelled}
""")


@asynccontextmanager
async def desk(url: str, **opening: Any) -> AsyncIterator[tuple[Runner, FakeClock]]:
    clock = FakeClock()
    async with Runner(open_store(url, clock=clock, **opening)) as runner:
        yield runner, clock


def ids(page: AgentPage) -> list[str]:
    return [agent.id for agent in page.agents]


async def asked(runner: Runner, agent_id: str, to: list[str]) -> None:
    """An agent that asks these people, or anybody."""
    data = {"for": to, "left": agent_id} if to else {}
    await runner.start(DESK, "ask" if to else "call", id=agent_id, data=data)


async def every_page(runner: Runner, **wanted: Any) -> list[str]:
    """The ids of a whole list, read page by page."""
    page = await runner.list(limit=2, **wanted)
    found = ids(page)
    while page.next is not None:
        page = await runner.list(limit=2, after=page.next, **wanted)
        assert set(found).isdisjoint(ids(page))
        found += ids(page)
    return found


@on_loop
async def test_agents_are_selected_by_state_user_and_label_and_what_is_said_together_must_all_be_so(
    every_url: str,
) -> None:
    async with desk(every_url) as (runner, clock):
        for agent_id, user, labels in (
            ("a", "ana", {"case": "A-17", "lane": "express"}),
            ("b", "ana", {"case": "A-18"}),
            ("c", "bob", {"case": "A-17"}),
            ("d", None, {"lane": ""}),
            ("e", None, {}),
        ):
            clock.ms += 1
            await runner.start(DESK, id=agent_id, user=user, labels=labels)
        await runner.send("a", "ask")
        await runner.send("c", "close")
        for wanted, expected in (
            ({"state": "idle"}, ["b", "d", "e"]),
            ({"state": "asking"}, ["a"]),
            ({"state": "nowhere"}, []),
            ({"user": "ana"}, ["a", "b"]),
            ({"label": "case"}, ["a", "b", "c"]),
            ({"label": ("case", "A-17")}, ["a", "c"]),
            ({"label": ("lane", "")}, ["d"]),
            ({"label": "A-17"}, []),
            ({"label": ("case", "A-17"), "user": "ana"}, ["a"]),
            ({"label": "case", "status": Status.WAITING}, ["a", "b"]),
            ({"label": "case", "status": [Status.CANCELLED, Status.WAITING], "workflow": "w"}, ["a", "b", "c"]),
            ({"label": "case", "workflow": "other"}, []),
        ):
            assert await every_page(runner, **wanted) == expected, wanted
            assert await every_page(runner, newest=True, **wanted) == expected[::-1], wanted
        [listed] = (await runner.list(label="lane", user="ana")).agents
        assert (listed.labels, listed.to_json()["labels"]) == ({"case": "A-17", "lane": "express"},) * 2


@on_loop
async def test_the_newest_come_first_and_their_list_goes_on_where_one_of_them_was_deleted(every_url: str) -> None:
    async with desk(every_url) as (runner, clock):
        for agent_id in ("m", "a", "z", "k"):
            await runner.start(DESK, id=agent_id)
            clock.ms += 0 if agent_id == "a" else 1
        first = await runner.list(newest=True, limit=2)
        assert ids(first) == ["k", "z"], "of two that began at once, the later id"
        await runner.store.delete(await runner.store.head("z"))
        await runner.start(DESK, id="later")
        rest = await runner.list(newest=True, limit=2, after=first.next)
        assert (ids(rest), rest.next) == (["a", "m"], None)


@on_loop
async def test_an_inbox_goes_on_though_the_question_that_it_ended_with_was_answered(every_url: str) -> None:
    async with desk(every_url) as (runner, clock):
        for agent_id, to in (("late", ["ana"]), ("z-old", []), ("soon", ["ana", "bob"]), ("a-young", ["bob"])):
            clock.ms += 1
            await asked(runner, agent_id, to)
        await runner.start(DESK, id="quiet")
        await runner.send("soon", "ask")
        clock.ms += 1
        await runner.send("late", "ask")
        first = await runner.list(waiting=True, limit=2)
        assert ids(first) == ["soon", "late"]
        assert [agent.question and agent.question.prompt for agent in first.agents] == ["Well, soon?", "Well, late?"]
        assert (await runner.answer("late", {}, by="ana")).status is Status.DONE
        rest = await runner.list(waiting=True, limit=2, after=first.next)
        assert (ids(rest), rest.next) == (["z-old", "a-young"], None)
        await runner.store.delete(await runner.store.head("soon"))
        assert ids(await runner.list(waiting=True, after=first.next)) == ["z-old", "a-young"]


@on_loop
async def test_questions_are_listed_and_counted_by_whom_they_are_for(every_url: str) -> None:
    async with desk(every_url) as (runner, clock):
        for agent_id, to in (("a", ["ana"]), ("b", ["ana", "bob"]), ("c", []), ("d", ["bob"])):
            clock.ms += 1
            await asked(runner, agent_id, to)
        await runner.start(DESK, id="quiet")
        for to, expected in (("ana", ["a", "b"]), ("bob", ["b", "d"]), (ANYBODY, ["c"]), (None, list("abcd"))):
            assert await every_page(runner, waiting=True, to=to) == expected
            assert await every_page(runner, waiting=True, to=to, workflow="other") == []
            assert await runner.count_questions(to=to) == len(expected)
            assert await runner.count_questions(to=to, workflow="w") == len(expected)
            assert await runner.count_questions(to=to, workflow="other") == 0
        assert await every_page(runner, waiting=True, status=[Status.DONE, Status.WAITING]) == list("abcd")
        assert await every_page(runner, waiting=True, status=Status.DONE) == []


@on_loop
async def test_agents_are_counted_by_workflow_state_and_status(every_url: str) -> None:
    async with desk(every_url) as (runner, _):
        assert list(await runner.tally()) == []
        for agent_id in "abc":
            await runner.start(DESK, id=agent_id)
        await runner.send("b", "close")
        assert list(await runner.tally()) == [
            Tally("w", "closed", Status.CANCELLED, 1),
            Tally("w", "idle", Status.WAITING, 2),
        ]


@pytest.mark.parametrize("opening", [{"keys": {"k": b"k" * 32}}, {}], ids=["sealed", "archived"])
@on_loop
async def test_lists_show_who_is_sealed_or_archived_like_anybody(tmp_path: Path, opening: dict[str, Any]) -> None:
    url = f"tiered:sqlite:///{tmp_path}/warm.db,sqlite:///{tmp_path}/cold.db,idle=1s,ended=0s"
    async with desk(url, **opening) as (runner, clock):
        await runner.start(DESK, "ask", id="a", user="ana", labels={"case": "A-17"}, data={"left": "Ben"})
        clock.ms += 5_000
        assert await runner.store.tend() == 1
        for wanted in ({"waiting": True}, {"label": ("case", "A-17")}, {"newest": True}, {"user": "ana"}, {}):
            [listed] = (await runner.list(**wanted)).agents
            assert (listed.version, listed.labels) == (2, {"case": "A-17"}), wanted
            assert listed.question is not None
            assert listed.question.prompt == "Well, Ben?", wanted
        [head] = await runner.store.heads(["a", "nobody"])
        assert (head.version, head.asked and head.asked.prompt) == (2, "Well, Ben?")
        assert (await runner.count_questions(), (await runner.tally())[0].agents) == (1, 1)


IMPOSSIBLE = [
    ({"waiting": True, "newest": True}, "leave `newest` out, or select by `status` instead of `waiting`"),
    ({"waiting": True, "label": "case", "user": "ana"}, "leave `user` and `label` out, or select by `status` instead"),
    ({"waiting": True, "state": "idle"}, "`waiting` has an order of its own, and selects by `workflow` and `to` alone"),
    ({"to": "ana"}, "`to` says whom a question is for: add `waiting`, or leave it out"),
    ({"to": ANYBODY, "newest": True}, "`to` says whom a question is for: add `waiting`, or leave it out"),
    ({"newest": True, "after": "a"}, "after must be the `next` of the page before, and is 'a'"),
    ({"waiting": True, "after": "a"}, "after must be the `next` of the page before, and is 'a'"),
]


@pytest.mark.parametrize(("wanted", "why"), IMPOSSIBLE)
def test_a_list_that_there_is_not_is_refused_in_one_sentence(wanted: dict[str, Any], why: str) -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(DESK, id="a")
        with pytest.raises(ArgumentInvalid) as refused:
            runner.list(**wanted)
        assert why in str(refused.value)
        assert "\n" not in str(refused.value)


def test_blocking_code_lists_and_counts_alike() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(DESK, "ask", id="a", labels={"case": "A-17"}, data={"for": ["ana"]})
        assert ids(runner.list(label=("case", "A-17"), newest=True)) == ["a"]
        assert (runner.count_questions(to="ana"), runner.count_questions(to=ANYBODY)) == (1, 0)
        assert [tally.agents for tally in runner.tally()] == [1]
