"""An agent to which something has happened is driven at once, one turn after the other, and a worker that stops lets
what works end."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.errors import IllegalEvent
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import FakeClock
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import Gate, flow, on_loop

#: works when it is told to; a note is taken between, or waits for the action that works
WORK: Final = flow("""
    data: {n: {type: integer, default: 0}}
    events: {go: {}, ok: {}, note: {}, again: {}}
    initial: resting
    on: {note: {assign: {n: data.n + 1}}}
    states:
      resting: {on: {go: working}}
      working: {do: work, on: {ok: checking, again: working}}
      checking: {do: check, on: {ok: resting}}
""")
NEVER: Final = timedelta(hours=1)
#: has one child that works twice
FAMILY: Final = flow("""
    events: {joined: {}}
    initial: running
    workflows:
      child:
        workflow: child
        version: 1
        events: {begin: {}, ok: {}}
        initial: idle
        states:
          idle: {on: {begin: working}}
          working: {do: work, on: {ok: checking}}
          checking: {do: check, on: {ok: done}}
          done: {final: true}
    states:
      running: {do: workflow.run, with: {workflow: child, emit: joined}, on: {joined: done}}
      done: {final: true}
""")


@action(inline=True)
def check(ctx: Context) -> str:
    return "ok"


@asynccontextmanager
async def worker_of(
    runner: Runner, *, every: timedelta = NEVER, at_once: int = 100, drain_s: float = 0
) -> AsyncIterator[tuple[Worker, asyncio.Event]]:
    """A worker that runs, and what stops it."""
    worker, stopped = Worker(runner, every=every, at_once=at_once), asyncio.Event()
    running = asyncio.create_task(worker.run(stopped, drain_s=drain_s))
    await asyncio.sleep(0)  # its first sweep
    try:
        yield worker, stopped
    finally:
        stopped.set()
        await running


async def idle(worker: Worker) -> None:
    while worker.at_work:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)


async def go(runner: Runner, worker: Worker, agent_id: str = "a", event: str = "go") -> None:
    await runner.send(agent_id, event, drive=False)
    worker.nudge(agent_id)


@on_loop
async def test_a_nudged_agent_is_driven_though_no_sweep_comes() -> None:
    gate = Gate()
    async with Runner(MemoryStore(), actions=[gate.as_action(), check]) as runner, worker_of(runner) as (worker, _):
        await runner.start(WORK, id="a", drive=False)
        await go(runner, worker)
        await gate.begun.wait()
        gate.open("ok")
        await idle(worker)
        assert (await runner.get("a")).state == "resting"
        assert gate.calls == 1


@on_loop
async def test_what_happens_during_a_turn_gets_a_turn_after_it() -> None:
    gate = Gate()
    async with Runner(MemoryStore(), actions=[gate.as_action(), check]) as runner, worker_of(runner) as (worker, _):
        await runner.start(WORK, id="a", drive=False)
        await go(runner, worker)
        await gate.begun.wait()
        for _ in range(3):
            await go(runner, worker, event="note")
        gate.open("ok")
        await idle(worker)
        agent = await runner.get("a")
        assert (agent.state, agent.data["n"]) == ("resting", 3)


@on_loop
async def test_an_agent_that_is_held_elsewhere_is_left_alone_and_driven_when_it_is_released() -> None:
    clock, gate = FakeClock(), Gate()
    store = MemoryStore(clock=clock)
    async with Runner(store, actions=[gate.as_action(), check]) as runner:
        await runner.start(WORK, id="a", drive=False)
        await runner.send("a", "go", drive=False)
        epoch = await store.claim("a", await store.head("a"), Lease(Holder("elsewhere", 1, 0), clock.ms + LEASE_MS))
        async with worker_of(runner, every=timedelta(milliseconds=1)) as (worker, _):
            worker.nudge("a")
            await idle(worker)
            assert gate.calls == 0
            await store.release("a", epoch)
            await gate.begun.wait()


@on_loop
async def test_a_worker_that_stops_lets_an_action_end_and_begins_no_other(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    store = MemoryStore()
    async with Runner(store, actions=[gate.as_action(), check]) as runner:
        await runner.start(WORK, id="a", drive=False)
        async with worker_of(runner, drain_s=30) as (worker, stopped):
            await go(runner, worker)
            await gate.begun.wait()
            stopped.set()
            await asyncio.sleep(0)
            gate.open("ok")
            await idle(worker)
            worker.nudge("a")
            assert worker.at_work == 0
        head = await store.head("a")
        assert (head.state, head.status, head.lease, head.attempts) == ("checking", Status.RUNNING, None, 0)
        assert not gate.was_cancelled
        assert not caplog.records
    async with Runner(store, actions=[check]) as other:
        assert await Worker(other).run_once() == 1
        assert (await other.get("a")).state == "resting"


@on_loop
async def test_what_has_not_ended_by_then_is_given_back_without_having_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, store = Gate(), MemoryStore()
    async with Runner(store, actions=[gate.as_action(), check]) as runner:
        await runner.start(WORK, id="a", drive=False)
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            async with worker_of(runner, drain_s=0.01) as (worker, _):
                await go(runner, worker)
                await gate.begun.wait()
        head = await store.head("a")
        assert (head.state, head.status, head.lease, head.attempts) == ("working", Status.RUNNING, None, 0)
        assert gate.was_cancelled
        assert "still at work, and given back: a" in caplog.text


@on_loop
async def test_who_waits_for_a_place_is_not_begun_by_a_worker_that_stops() -> None:
    gate, store = Gate(), MemoryStore()
    async with Runner(store, actions=[gate.as_action(), check]) as runner:
        for name in ("a", "b"):
            await runner.start(WORK, id=name, drive=False)
        async with worker_of(runner, at_once=1, drain_s=30) as (worker, stopped):
            await go(runner, worker, "a")
            await gate.begun.wait()
            await go(runner, worker, "b")
            epoch = (await store.head("b")).epoch
            stopped.set()
            await asyncio.sleep(0)
            gate.open("ok")
        head = await store.head("b")
        assert (gate.calls, head.state, head.epoch, head.lease) == (1, "working", epoch, None)


@on_loop
async def test_a_parent_whose_child_is_told_to_begin_no_action_does_not_fail() -> None:
    gate, store = Gate(), MemoryStore()
    async with Runner(store, actions=[gate.as_action(), check]) as runner:
        await runner.start(FAMILY, id="p", drive=False)
        async with worker_of(runner, drain_s=30) as (worker, stopped):
            worker.nudge("p")
            await gate.begun.wait()
            stopped.set()
            await asyncio.sleep(0)
            gate.open("ok")
        parent = await store.head("p")
        assert (parent.status, parent.attempts, parent.lease, parent.problem) == (Status.RUNNING, 0, None, None)
    async with Runner(store, actions=[check]) as other:
        await Worker(other).run_once()
        assert (await other.get("p")).status is Status.DONE


#: how often each agent is told to go, whether a note comes with it, and how long everybody waits then
CALLS: Final = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["go", "note", "again"]), st.integers(0, 6)), max_size=40
)


@example_settings(100)
@given(calls=CALLS, places=st.integers(1, 3), turns=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_whatever_happens_in_a_row_none_is_left_to_a_sweep_and_none_works_twice_at_once(
    calls: Sequence[tuple[str, str, int]], places: int, turns: Sequence[int]
) -> None:
    asyncio.run(asyncio.wait_for(_drive(calls, places, turns), 30))


async def _drive(calls: Sequence[tuple[str, str, int]], places: int, turns: Sequence[int]) -> None:
    working: Counter[str] = Counter()
    lengths = itertools.cycle(turns)

    @action(name="work")
    async def work(ctx: Context) -> str:
        working[ctx.agent_id] += 1
        assert working[ctx.agent_id] == 1
        try:
            for _ in range(next(lengths)):
                await asyncio.sleep(0)
        finally:
            working[ctx.agent_id] -= 1
        return "ok"

    store = MemoryStore()
    async with Runner(store, actions=[work, check]) as runner, worker_of(runner, at_once=places) as (worker, _):
        notes: Counter[str] = Counter()
        for name in "abc":
            await runner.start(WORK, id=name, drive=False)
        for name, event, pause in calls:
            with suppress(IllegalEvent):
                await go(runner, worker, name, event)
                notes[name] += event == "note"
            for _ in range(pause):
                await asyncio.sleep(0)
        await idle(worker)
        assert await store.due(await store.now(), 9) == []
        agents = [await runner.get(name) for name in "abc"]
        assert [(agent.state, agent.data["n"]) for agent in agents] == [("resting", notes[name]) for name in "abc"]
