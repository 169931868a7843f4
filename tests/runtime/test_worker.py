"""The worker drives whatever is due, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.domain.record import Record
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, dead_process, flow, on_loop

WORK = flow("""
    data: {n: {type: integer, default: 0}}
    events: {ok: {}, note: {}}
    initial: working
    on: {note: {assign: {n: data.n + 1}}}
    states:
      working: {do: work, retry: {attempts: 3, backoff: 10s}, on: {ok: resting}}
      resting: {after: {1h: done}}
      done: {final: true}
""")


def at_work(*outcomes: Any) -> tuple[Runner, FakeClock]:
    """A runner whose action has these outcomes in turn, over all agents, then ``ok``; on a clock that stands still."""
    script = iter(outcomes)

    @action(name="work", inline=True)
    def work(ctx: Context) -> str:
        outcome = next(script, "ok")
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    clock = FakeClock()
    return Runner(MemoryStore(clock=clock), actions=[work]), clock


@on_loop
async def test_one_round_drives_what_is_due_and_what_becomes_due_by_that() -> None:
    runner, clock = at_work()
    async with runner:
        for name in ("a", "b"):
            await runner.start(WORK, id=name, drive=False)
        worker = Worker(runner)
        assert await worker.run_once() == 2
        assert [(await runner.get(name)).state for name in ("a", "b")] == ["resting", "resting"]
        assert await worker.run_once() == 0
        clock.advance(hours=1)
        assert await worker.run_once() == 2
        assert (await runner.get("a")).status is Status.DONE


@on_loop
async def test_a_backoff_is_left_until_it_ends() -> None:
    runner, clock = at_work(ValueError(), ValueError())
    async with runner:
        await runner.start(WORK, id="a", drive=False)
        worker = Worker(runner)
        assert await worker.run_once() == 1
        head = await runner.store.head("a")
        assert (head.attempts, head.lease, head.wake_ms) == (1, None, clock.ms + 10_000)
        assert await worker.run_once() == 0
        clock.advance(seconds=10)
        await worker.run_once()
        clock.advance(seconds=20)
        await worker.run_once()
        assert (await runner.get("a")).state == "resting"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_a_round_ends_though_events_wait_for_an_agent_that_backs_off_or_is_parked(
    kind: str, tmp_path: Path
) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    clock = FakeClock()
    async with Runner(open_store(url, clock=clock), actions=at_work(*[ValueError()] * 4)[0].actions) as runner:
        await runner.start(WORK, id="a", drive=False)
        await runner.send("a", "note", drive=False)
        worker = Worker(runner)
        for attempts in (1, 2):
            assert await worker.run_once() == 1
            head = await runner.store.head("a")
            assert (head.attempts, head.queued, await worker.run_once()) == (attempts, 1, 0)
            clock.advance(minutes=1)
        assert await worker.run_once() == 1
        head = await runner.store.head("a")
        assert (head.status, head.queued, await worker.run_once()) == (Status.PARKED, 1, 0)
        await runner.unpark("a", event="ok", drive=False)
        assert await worker.run_once() == 1
        assert ((await runner.get("a")).data["n"], await worker.run_once()) == (1, 0)


@on_loop
async def test_a_round_ends_though_an_agent_cannot_be_driven(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        async def load(self, agent_id: str, *, key: str | None = None) -> Record:
            if agent_id == "bad":
                raise StoreUnavailable("the disk is full")
            return await super().load(agent_id, key=key)

    runner, _ = at_work()
    runner = Runner(Broken(clock=FakeClock()), actions=runner.actions)
    async with runner:
        for name in ("bad", "good"):
            await runner.start(WORK, id=name, drive=False)
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            assert await Worker(runner, at_once=1).run_once() == 2
        assert (await runner.get("good")).state == "resting"
        assert "agent bad could not be driven: the disk is full" in caplog.text


@on_loop
async def test_agents_that_a_dead_process_left_behind_are_taken_over_at_once() -> None:
    runner, clock = at_work()
    async with runner:
        await runner.start(WORK, id="a", drive=False)
        dead = dead_process()
        await runner.store.claim("a", await runner.store.head("a"), Lease(dead, clock.ms + LEASE_MS))
        assert await Worker(runner).run_once() == 1
        assert (await runner.get("a")).state == "resting"


@on_loop
async def test_what_somebody_drives_elsewhere_is_left_alone_until_the_lease_runs_out() -> None:
    runner, clock = at_work()
    async with runner:
        await runner.start(WORK, id="a", drive=False)
        elsewhere = Lease(Holder("elsewhere", 1, 0), clock.ms + LEASE_MS)
        await runner.store.claim("a", await runner.store.head("a"), elsewhere)
        assert await Worker(runner).run_once() == 0
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner).run_once() == 1


@on_loop
async def test_many_workers_on_one_store_drive_each_agent_once() -> None:
    runner, _ = at_work()
    calls: list[str] = []

    @action(name="work")
    async def work(ctx: Context) -> str:
        calls.append(ctx.agent_id)
        await asyncio.sleep(0)
        return "ok"

    runner = Runner(runner.store, actions=[work])
    async with runner:
        names = [f"agent-{number}" for number in range(20)]
        for name in names:
            await runner.start(WORK, id=name, drive=False)
        workers = [Worker(Runner(runner.store, actions=[work]), at_once=5) for _ in range(3)]
        await asyncio.gather(*(worker.run_once() for worker in workers))
        assert sorted(calls) == sorted(names)


@on_loop
async def test_a_worker_sweeps_until_it_is_stopped_and_lets_go_of_what_it_drives() -> None:
    gate, stopped = Gate(), asyncio.Event()
    store = MemoryStore()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        working = asyncio.create_task(Worker(runner, every=timedelta(milliseconds=1)).run(stopped))
        await asyncio.sleep(0)
        await runner.start(WORK, id="a", drive=False)
        await gate.begun.wait()
        stopped.set()
        await working
        head = await store.head("a")
        assert (gate.was_cancelled, head.lease, head.status) == (True, None, Status.RUNNING)


@on_loop
async def test_a_store_that_is_gone_for_a_while_stops_no_worker() -> None:
    class Flickering(MemoryStore):
        sweeps = 0

        async def take(self, limit: int, lease: Lease, **filters: Any) -> Any:
            self.sweeps += 1
            if self.sweeps == 1:
                raise StoreUnavailable("gone")
            return await super().take(limit, lease, **filters)

    gate, stopped = Gate(), asyncio.Event()
    async with Runner(Flickering(), actions=[gate.as_action()]) as runner:
        await runner.start(WORK, id="a", drive=False)
        working = asyncio.create_task(Worker(runner, every=timedelta(milliseconds=1)).run(stopped))
        await gate.begun.wait()
        stopped.set()
        await working


@on_loop
async def test_an_agent_that_could_not_be_driven_is_tried_again() -> None:
    class Stumbling(MemoryStore):
        loads = 0

        async def load(self, agent_id: str, *, key: str | None = None) -> Record:
            self.loads += 1
            if self.loads == 1:
                raise StoreUnavailable("busy")
            return await super().load(agent_id, key=key)

    gate, stopped = Gate(), asyncio.Event()
    async with Runner(Stumbling(), actions=[gate.as_action()]) as runner:
        await runner.start(WORK, id="a", drive=False)
        working = asyncio.create_task(Worker(runner, every=timedelta(milliseconds=1)).run(stopped))
        await gate.begun.wait()
        stopped.set()
        await working
