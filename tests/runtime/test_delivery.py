"""Beginning and sending: whole or not at all, each key once, one winner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.errors import (
    AgentExists,
    AgentNotFound,
    ArgumentInvalid,
    Conflict,
    DataInvalid,
    GuardsRefused,
    IdInvalid,
    IllegalEvent,
    KeyReuse,
    NotAsked,
    PayloadInvalid,
    Refused,
)
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, on_loop, story

ORDER = flow("""
    data: {item: string?, n: {type: integer, default: 0}, must: string}
    events: {order: {item: string}, count: {n: integer}, pay: {}, yes: {}}
    initial: open
    states:
      open:
        on:
          order: {target: ordered, when: event.item != "nothing", assign: {item: event.item}}
          count: {assign: {n: data.n + event.n}}
      ordered:
        ask: {prompt: Sure?, events: [yes]}
        after: {1h: expired}
        on: {yes: done, count: {assign: {n: data.n + event.n}}}
      done: {final: true}
      expired: {final: true, outcome: cancelled}
""")
DATA = {"must": "be"}

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens an empty store of every kind that comes with us, on a clock that stands still."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url, clock=FakeClock())


@on_loop
async def test_an_agent_begins_together_with_its_first_event(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        agent = await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, id="a-1", by="ana")
        assert (agent.id, agent.state, agent.version, agent.delivery) == ("a-1", "ordered", 2, "applied")
        steps = await runner.history("a-1")
        assert story(steps) == ["created created >open", "event order open>ordered"]
        assert steps[0].delta.to_json() == {"set": {"item": None, "n": 0, "must": "be"}}
        assert [step.by for step in steps] == ["ana", "ana"]
        assert await runner.get("a-1") == (await runner.resume("a-1"))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"event": "pay"}, IllegalEvent),
        ({"event": "order", "payload": {"itm": "x"}}, PayloadInvalid),
        ({"event": "order", "payload": {"item": "nothing"}}, GuardsRefused),
        ({"data": {}}, DataInvalid),
        ({"data": {"must": "x", "n": float("nan")}}, DataInvalid),
    ],
)
@on_loop
async def test_a_refused_beginning_leaves_no_agent_and_its_key_unused(
    opened: Opener, arguments: dict[str, Any], error: type[Refused]
) -> None:
    async with Runner(opened()) as runner:
        with pytest.raises(error):
            await runner.start(ORDER, **{"data": DATA, "id": "a", "key": "k", **arguments})
        with pytest.raises(AgentNotFound):
            await runner.get("a")
        again = await runner.start(ORDER, data=DATA, id="a", key="k")
        assert again.delivery == "applied"


@on_loop
async def test_who_repeats_a_start_while_a_new_version_is_deployed_is_told_of_the_first_agent(opened: Opener) -> None:
    newer, other = replace(ORDER, version=2), replace(ORDER, name="other")
    async with Runner(opened()) as runner:
        first = await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, key="k")
        again = await runner.start(newer, "order", {"item": "tea"}, data=DATA, key="k")
        assert (again.id, again.delivery, again.version) == (first.id, "duplicate", first.version)
        with pytest.raises(KeyReuse):
            await runner.start(other, "order", {"item": "tea"}, data=DATA, key="k")


@on_loop
async def test_a_repeated_key_returns_the_agent_that_the_first_call_made(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        first = await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, id="a", key="k")
        await runner.answer("a")
        for other_id in (None, "a", "b"):
            again = await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, id=other_id, key="k")
            assert (again.id, again.state, again.delivery) == (first.id, "done", "duplicate")
        for changed in ({"payload": {"item": "milk"}}, {"data": {"must": "not"}}, {"event": None, "payload": None}):
            with pytest.raises(KeyReuse, match="key 'k' was used already for another workflow, "):
                await runner.start(
                    ORDER, **{"event": "order", "payload": {"item": "tea"}, "data": DATA, **changed}, key="k"
                )
        assert len(await runner.history("a")) == 3


@on_loop
async def test_an_id_is_taken_once_and_odd_ones_are_refused(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ORDER, data=DATA, id="a", key="k")
        for key in (None, "other"):
            with pytest.raises(AgentExists, match="agent 'a' exists already"):
                await runner.start(ORDER, data=DATA, id="a", key=key)
        for odd in ("", "-a", "a/b", "ä", "a" * 129, "a b", "a\n"):
            with pytest.raises(IdInvalid):
                await runner.start(ORDER, data=DATA, id=odd)


@on_loop
async def test_of_many_beginnings_with_one_key_one_makes_the_agent(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        agents = await asyncio.gather(*(runner.start(ORDER, data=DATA, key="k") for _ in range(20)))
        assert len({agent.id for agent in agents}) == 1
        assert sorted(agent.delivery or "" for agent in agents) == ["applied"] + ["duplicate"] * 19


@on_loop
async def test_a_refused_event_leaves_no_row_and_its_key_unused(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ORDER, data=DATA, id="a")
        with pytest.raises(GuardsRefused):
            await runner.send("a", "order", {"item": "nothing"}, key="k")
        with pytest.raises(IllegalEvent, match="allowed: order, count, cancel"):
            await runner.send("a", "yes", key="k")
        assert len(await runner.history("a")) == 1
        assert (await runner.send("a", "count", {"n": 1}, key="k")).delivery == "applied"


@on_loop
async def test_a_key_is_applied_once_for_as_long_as_the_agent_lives(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ORDER, data=DATA, id="a")
        sent = await asyncio.gather(*(runner.send("a", "count", {"n": 1}, key="k") for _ in range(20)))
        assert sorted(agent.delivery or "" for agent in sent) == ["applied"] + ["duplicate"] * 19
        for wrong in ({"event": "count", "payload": {"n": 2}}, {"event": "order", "payload": {"item": "k"}}):
            with pytest.raises(KeyReuse):
                await runner.send("a", **wrong, key="k")
        await runner.send("a", "order", {"item": "tea"})
        await runner.answer("a", key="answer")
        for key, event, payload in (("k", "count", {"n": 1}), ("answer", "yes", {})):
            late = await runner.send("a", event, payload, key=key)
            assert (late.delivery, late.status, late.data["n"]) == ("duplicate", Status.DONE, 1)
        assert (await runner.answer("a", key="answer")).delivery == "duplicate"


@on_loop
async def test_events_sent_at_the_same_time_are_all_applied_one_after_the_other(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ORDER, data=DATA, id="a")
        await asyncio.gather(*(runner.send("a", "count", {"n": n}) for n in range(20)))
        steps = await runner.history("a")
        assert [step.version for step in steps] == list(range(1, 22))
        assert (await runner.get("a")).data["n"] == sum(range(20))


@on_loop
async def test_of_two_answers_at_once_one_wins_and_the_other_is_told(opened: Opener) -> None:
    store = opened()
    async with Runner(store) as here:
        there = Runner(store)
        await here.start(ORDER, "order", {"item": "tea"}, data=DATA, id="a")
        outcomes = await asyncio.gather(
            *(runner.answer("a", by=by) for runner, by in ((here, "ana"), (there, "bob"))), return_exceptions=True
        )
        lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [type(outcome) for outcome in lost] == [NotAsked]
        [*_, last] = await here.history("a")
        assert str(lost[0]).endswith(f"it is done in state 'done'; {last.by} answered 'yes' at version 3")


@on_loop
async def test_a_sender_who_expects_another_version_is_told_both(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ORDER, data=DATA, id="a")
        assert (await runner.send("a", "count", {"n": 1}, expect_version=1)).version == 2
        with pytest.raises(Conflict, match="agent 'a' is at version 2, and version 1 was expected") as conflict:
            await runner.send("a", "count", {"n": 1}, key="k", expect_version=1)
        assert (conflict.value.expected, conflict.value.actual) == (1, 2)
        sent = await asyncio.gather(
            *(runner.send("a", "count", {"n": 1}, expect_version=2) for _ in range(5)), return_exceptions=True
        )
        assert [type(each).__name__ for each in sent].count("Conflict") == 4


@on_loop
async def test_a_timer_that_was_due_is_a_version_that_the_sender_did_not_expect() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, id="a")
        clock.advance(hours=1)
        with pytest.raises(Conflict, match="is at version 3, and version 2 was expected"):
            await runner.answer("a", expect_version=2)
        assert (await runner.get("a")).state == "expired"


@on_loop
async def test_without_driving_what_is_sent_is_left_to_a_worker() -> None:
    working = flow("""
        events: {ok: {}}
        initial: working
        states: {working: {do: work, on: {ok: done}}, done: {final: true}}
    """)
    calls = []

    async def work(ctx: Any) -> str:
        calls.append(ctx.agent_id)
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(working, id="a", drive=False)
        assert (agent.status, calls) == (Status.RUNNING, [])
        assert (await runner.resume("a")).status is Status.DONE


@pytest.mark.parametrize("payload", [{"item": object()}, {"item": {1, 2}}])
@on_loop
async def test_what_is_no_json_is_refused_with_or_without_a_key(payload: dict[str, Any]) -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(ORDER, data=DATA, id="a")
        for key in (None, "k"):
            with pytest.raises(PayloadInvalid, match=r"item is .*only JSON can be kept"):
                await runner.send("a", "order", payload, key=key)
            with pytest.raises(PayloadInvalid):
                await runner.start(ORDER, "order", payload, data=DATA, key=key)


@on_loop
async def test_every_commit_is_observed() -> None:
    seen = []
    async with Runner(open_store("memory://"), observe=lambda head: seen.append((head.version, head.state))) as runner:
        await runner.start(ORDER, "order", {"item": "tea"}, data=DATA, id="a")
        await runner.answer("a")
    assert seen == [(2, "ordered"), (3, "done")]


@on_loop
async def test_who_speaks_and_the_key_are_text() -> None:
    waiting = flow("""
        events: {go: {}}
        initial: a
        states: {a: {on: {go: b}}, b: {final: true}}
    """)
    async with Runner(open_store("memory://")) as runner:
        agent = await runner.start(waiting)
        for said in ({"by": "\ud800"}, {"key": "\ud800"}):
            with pytest.raises(ArgumentInvalid, match=f"{next(iter(said))} is no Unicode text"):
                await runner.send(agent.id, "go", **said)
        assert (await runner.get(agent.id)).version == 1
