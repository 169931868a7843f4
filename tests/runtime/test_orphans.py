"""Leases that were left behind: whoever finds one gives it up, and nobody turns in circles over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.lease import LEASE_MS, Claimed, Holder, Lease
from fsm_agent.domain.record import Record
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.state import Duration
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.maintenance.purge import Purged
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.upkeep import Upkeep
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.parent_workflow import LookUp, parent_workflow
from tests.support.runtime import dead_process, flow, on_loop, story

ELSEWHERE = Holder("elsewhere", 1, 0)
ALL = flow("""
    events: {go: {}, fail: {}}
    initial: waiting
    states:
      waiting: {on: {go: done, fail: broken}}
      broken: {do: break_, on: {go: done}}
      done: {final: true}
""")
PURGED = Retention(finished=Duration.parse("0s"), idle=Duration.parse("0s"))


@action(name="break_")
async def break_(ctx: Context) -> str:
    raise ValueError("it breaks")


@asynccontextmanager
async def at_rest(url: str, clock: FakeClock) -> AsyncIterator[Runner]:
    """Three agents with nothing to do: one waits, one is parked, one has ended."""
    async with Runner(open_store(url, clock=clock), actions=[break_]) as runner:
        for name, event in (("waits", None), ("parked", "fail"), ("ended", "go")):
            await runner.start(ALL, event, id=name)
        yield runner


async def leave(store: Store, agent_id: str, holder: Holder) -> Head:
    """``holder`` has taken the lease, and was killed before giving it up."""
    head = await store.head(agent_id)
    await store.claim(agent_id, head, Lease(holder, await store.now() + LEASE_MS))
    return await store.head(agent_id)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_a_round_ends_though_a_dead_process_holds_agents_that_have_nothing_to_do(
    kind: str, tmp_path: Path
) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    async with at_rest(url, FakeClock()) as runner:
        dead, before = dead_process(), {}
        for name in ("waits", "parked", "ended"):
            before[name] = await leave(runner.store, name, dead)
        assert await Worker(runner).run_once() == 0
        for name, head in before.items():
            assert await runner.store.head(name) == head._replace(lease=None)
        assert await Worker(runner).run_once() == 0


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_a_round_gives_up_every_lease_that_has_run_out_wherever_its_holder_lived(
    kind: str, tmp_path: Path
) -> None:
    clock = FakeClock()
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    async with at_rest(url, clock) as runner:
        held = {name: await leave(runner.store, name, ELSEWHERE) for name in ("waits", "parked", "ended")}
        assert await Worker(runner, at_once=2).run_once() == 0
        assert [await runner.store.head(name) for name in held] == list(held.values()), "it may live"
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner, at_once=2).run_once() == 0
        for name, head in held.items():
            assert await runner.store.head(name) == head._replace(lease=None)


@on_loop
async def test_so_does_a_worker_that_goes_on() -> None:
    class Counting(MemoryStore):
        released, are_all = 0, asyncio.Event()

        async def release(self, agent_id: str, epoch: int) -> None:
            await super().release(agent_id, epoch)
            self.released += 1
            if self.released % 3 == 0:
                self.are_all.set()

    clock, names, stopped = FakeClock(), ("a", "b", "c"), asyncio.Event()
    store = Counting(clock=clock)
    async with Runner(store, actions=[break_]) as runner:
        for name in names:
            await runner.start(ALL, id=name)
        work = asyncio.create_task(Worker(runner, every=timedelta(0), at_once=2).run(stopped))
        for _ in range(2):
            for name in names:
                await leave(store, name, ELSEWHERE)
            store.are_all.clear()
            clock.advance(milliseconds=LEASE_MS)
            await store.are_all.wait()
            assert [(await store.head(name)).lease for name in names] == [None] * 3
        stopped.set()
        await work


@on_loop
async def test_a_lease_that_has_run_out_is_given_up_where_the_agent_cannot_be_driven() -> None:
    class Unreadable(MemoryStore):
        async def load(self, agent_id: str, *, key: str | None = None) -> Record:
            raise StoreUnavailable("it cannot be read")

    clock = FakeClock()
    async with Runner(Unreadable(clock=clock), actions=[break_]) as runner:
        await runner.start(ALL, "fail", id="works", drive=False)
        held = await leave(runner.store, "works", ELSEWHERE)
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner).run_once() == 1
        assert await runner.store.head("works") == held._replace(lease=None, epoch=held.epoch + 1)


@on_loop
async def test_a_round_ends_though_a_store_gives_up_no_lease() -> None:
    class Deaf(MemoryStore):
        async def release(self, agent_id: str, epoch: int) -> None:
            """Does not hear."""

    clock = FakeClock()
    async with Runner(Deaf(clock=clock), actions=[break_]) as runner:
        await runner.start(ALL, id="waits")
        held = await leave(runner.store, "waits", ELSEWHERE)
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner).run_once() == 0
        assert await runner.store.head("waits") == held


@on_loop
async def test_to_resume_one_gives_the_lease_up_and_changes_nothing_else() -> None:
    clock = FakeClock()
    async with at_rest("memory://", clock) as runner:
        gone = await leave(runner.store, "waits", dead_process())
        assert (await runner.resume("waits")).version == gone.version
        assert await runner.store.head("waits") == gone._replace(lease=None)
        held = await leave(runner.store, "waits", ELSEWHERE)
        await runner.resume("waits")
        assert await runner.store.head("waits") == held
        clock.advance(milliseconds=LEASE_MS)
        await runner.resume("waits")
        assert await runner.store.head("waits") == held._replace(lease=None)


@on_loop
async def test_a_lease_that_runs_is_left_to_its_holder_whatever_the_agent_does() -> None:
    async with at_rest("memory://", FakeClock()) as runner:
        held = await leave(runner.store, "waits", this_process())
        await runner.resume("waits")
        assert await Worker(runner).run_once() == 0
        assert await runner.purge(PURGED) == Purged(["ended"])
        assert await runner.store.head("waits") == held


@on_loop
async def test_whoever_takes_the_agent_over_meanwhile_keeps_it() -> None:
    class Overtaken(MemoryStore):
        async def release(self, agent_id: str, epoch: int) -> None:
            await leave(self, agent_id, ELSEWHERE)
            await super().release(agent_id, epoch)

    async with Runner(Overtaken(clock=FakeClock()), actions=[break_]) as runner:
        await runner.start(ALL, id="a")
        await leave(runner.store, "a", dead_process())
        await runner.resume("a")
        lease = (await runner.store.head("a")).lease
        assert lease is not None
        assert lease.holder == ELSEWHERE


@on_loop
async def test_purge_sees_what_a_dead_process_holds() -> None:
    async with at_rest("memory://", FakeClock()) as runner:
        for name in ("waits", "parked", "ended"):
            await leave(runner.store, name, dead_process())
        before = {name: await runner.store.dump(name) for name in ("waits", "parked", "ended")}
        due = ["ended", "waits"]
        assert await runner.purge(PURGED, is_dry=True) == Purged(due, is_dry=True)
        assert {name: await runner.store.dump(name) for name in before} == before
        assert await runner.purge(PURGED) == Purged(due)
        assert (await runner.store.head("parked")).lease is None


@pytest.mark.parametrize("is_dead", [True, False], ids=["dead", "elsewhere"])
@on_loop
async def test_a_parent_that_was_left_behind_hears_that_its_child_has_ended(is_dead: bool) -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[LookUp().as_action()]) as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        await leave(runner.store, "p", dead_process() if is_dead else ELSEWHERE)
        if not is_dead:
            clock.advance(milliseconds=LEASE_MS)
        await runner.answer("p.2.1", {"text": "said"}, drive=False)
        await Worker(runner).run_once()
        heads = [await runner.store.head(name) for name in ("p", "p.2.1")]
        assert [(head.status in ENDED, head.lease, head.children) for head in heads] == [(True, None, 0)] * 2


@on_loop
async def test_an_event_that_waits_for_who_is_gone_is_decided_once_the_lease_has_run_out() -> None:
    """The parent rests for an hour; whoever looked after it last was killed before giving its lease up."""
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[LookUp().as_action()]) as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        await leave(runner.store, "p", ELSEWHERE)
        assert (await runner.send("p", "note")).delivery == "queued"
        assert await Worker(runner).run_once() == 0
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner).run_once() == 1
        head = await runner.store.head("p")
        assert (head.lease, head.queued, story(await runner.history("p"))[-1]) == (
            None,
            0,
            "event note running>running",
        )


@on_loop
async def test_an_event_finds_an_agent_at_rest_whose_lease_was_left_behind_to_be_at_rest() -> None:
    async with Runner(open_store("memory://", clock=FakeClock()), actions=[LookUp().as_action()]) as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        await leave(runner.store, "p", dead_process())
        assert (await runner.send("p", "note")).delivery == "applied"
        assert (await runner.store.head("p")).lease is None


class Eager(MemoryStore):
    """Says for ever that the agent ``waits`` is due."""

    async def take(self, limit: int, lease: Lease, **filters: Any) -> list[Claimed]:
        head = await self.head("waits")
        if head.lease is not None:
            return list(await super().take(limit, lease, **filters))
        claimed = Claimed("waits", await self.claim("waits", head, lease))
        return [claimed, *(await super().take(limit - 1, lease, **filters) if limit > 1 else ())]


@pytest.mark.parametrize("at_once", [1, 9])
@on_loop
async def test_one_that_never_changes_is_told_once_and_starves_nobody(
    at_once: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Runner(Eager(clock=FakeClock()), actions=[break_]) as runner:
        await runner.start(ALL, id="waits")
        await runner.start(ALL, "fail", id="works", drive=False)
        worker = Worker(runner, at_once=at_once)
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            assert [await worker.run_once() for _ in range(2)] == [2, 1]
        assert (await runner.get("works")).status is Status.PARKED
        assert (await runner.store.head("waits")).lease is None
        assert [each for each in caplog.messages if "is due" in each] == [
            "agent waits is due, and driving it changes nothing"
        ]


@on_loop
async def test_one_that_never_changes_is_held_until_all_others_had_their_turn() -> None:
    """A worker that goes on does not drive it again and again, and gives it back from time to time and at the end."""
    taken: list[str] = []

    class Counting(Eager):
        async def take(self, limit: int, lease: Lease, **filters: Any) -> list[Claimed]:
            claimed = await super().take(limit, lease, **filters)
            taken.extend(agent_id for agent_id, _ in claimed)
            if len(taken) >= 3:
                stopped.set()
            return claimed

    stopped = asyncio.Event()
    async with Runner(Counting(), actions=[break_]) as runner:
        await runner.start(ALL, id="waits")
        await Worker(runner, every=timedelta(milliseconds=1)).run(stopped)
        assert taken == ["waits"] * 3
        assert (await runner.store.head("waits")).lease is None


@on_loop
async def test_a_late_lease_of_an_agent_that_is_driven_here_is_not_given_up() -> None:
    clock = FakeClock()
    async with at_rest("memory://", clock) as runner:
        for name in ("waits", "ended"):
            await leave(runner.store, name, this_process())
        clock.advance(milliseconds=LEASE_MS)
        await Upkeep(runner.store, Retention()).turn({"waits"})
        leases = [(await runner.store.head(name)).lease is None for name in ("waits", "ended")]
        assert leases == [False, True]
