"""When a worker looks for due agents: at once while there are more, at a ring, from time to time; and how it stops."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import LEASE_MS, Claimed, Holder, Lease
from fsm_agent.errors import ArgumentInvalid, StoreUnavailable
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, flow, on_loop, until

WORK: Final = flow("""
    events: {ok: {}}
    initial: working
    states: {working: {do: work, on: {ok: done}}, done: {final: true}}
""")
NEVER: Final = timedelta(hours=1)


@action(name="work")
async def work(ctx: Context) -> str:
    await asyncio.sleep(0)
    return "ok"


@asynccontextmanager
async def working(runner: Runner, **options: Any) -> AsyncIterator[Worker]:
    """A worker that runs, and that nobody has to tell of what is due now."""
    worker, stopped = Worker(runner, **{"every": NEVER, **options}), asyncio.Event()
    running = asyncio.create_task(worker.run(stopped))
    await asyncio.sleep(0.02)  # its first look is over
    try:
        yield worker
    finally:
        stopped.set()
        await running


async def all_done(runner: Runner, names: Collection[str]) -> None:
    for name in names:
        while (await runner.get(name)).status is not Status.DONE:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


@on_loop
async def test_a_ring_of_another_runner_wakes_all_workers_at_once() -> None:
    store = MemoryStore()
    async with Runner(store, actions=[work]) as runner, working(runner):
        await Runner(store).start(WORK, id="a", drive=False)
        await all_done(runner, ["a"])


@on_loop
async def test_a_worker_looks_again_at_once_while_there_are_more_than_it_has_places_for() -> None:
    class Silent(MemoryStore):
        takes: Final = Counter[int]()

        async def ring(self) -> None:
            """Nobody hears it."""

        async def take(self, limit: int, lease: Lease, **filters: Any) -> list[Claimed]:
            claimed = list(await super().take(limit, lease, **filters))
            self.takes[len(claimed)] += 1
            return claimed

    store = Silent()
    names = [f"a{number:03}" for number in range(200)]
    async with Runner(store, actions=[work]) as runner:
        for name in names:
            await runner.start(WORK, id=name, drive=False)
        async with working(runner, at_once=10):
            await all_done(runner, names)
        assert sum(size * times for size, times in store.takes.items()) == 200
        assert max(store.takes) == 10
        assert sum(store.takes.values()) <= 200, "it takes several at once, whenever some places are free"


@on_loop
async def test_what_nobody_has_told_of_is_found_from_time_to_time() -> None:
    class Silent(MemoryStore):
        async def ring(self) -> None:
            """It is lost."""

    store = Silent()
    async with Runner(store, actions=[work]) as runner, working(runner, every=timedelta(milliseconds=5)):
        await runner.start(WORK, id="a", drive=False)
        await all_done(runner, ["a"])


@on_loop
async def test_a_bell_that_breaks_is_told_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        async def listen(self, heard: Callable[[], None]) -> None:
            raise StoreUnavailable("no channel")

    async with Runner(Broken(), actions=[work]) as runner:
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            async with working(runner, every=timedelta(milliseconds=5)):
                await runner.start(WORK, id="a", drive=False)
                await all_done(runner, ["a"])
        assert "the bell of the store is not heard: no channel" in caplog.messages


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_workers_that_look_at_the_same_time_drive_different_agents(kind: str, tmp_path: Path) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    calls: Counter[str] = Counter()
    loads = 0

    @action(name="work")
    async def note(ctx: Context) -> str:
        calls[ctx.agent_id] += 1
        await asyncio.sleep(0.001)
        return "ok"

    async with Runner(open_store(url), actions=[note]) as runner:
        names = [f"a{number:02}" for number in range(40)]
        for name in names:
            await runner.start(WORK, id=name, drive=False)
        others = [Runner(runner.store, actions=[note]) for _ in range(3)]
        async with working(runner, at_once=5):
            ends = [asyncio.create_task(Worker(other, at_once=5).run_once()) for other in others]
            await all_done(runner, names)
            loads += sum(await asyncio.gather(*ends))
        assert set(calls.values()) == {1}
        assert {(await runner.store.head(name)).epoch for name in names} == {2}
    assert loads <= 40


@pytest.mark.parametrize("short", [0, 1], ids=["took all there was", "took one more"])
@on_loop
async def test_a_ring_is_heard_by_a_worker_that_is_nearly_full_of_long_actions(short: int) -> None:
    gate, begun = Gate(), asyncio.Event()

    @action(name="work")
    async def some_long(ctx: Context) -> str:
        if ctx.agent_id == "late":
            begun.set()
        if ctx.agent_id.startswith("long"):
            await asyncio.shield(gate.result)
        return "ok"

    async with Runner(MemoryStore(), actions=[some_long]) as runner:
        names = [*(f"long{number}" for number in range(19)), *(f"short{number}" for number in range(short))]
        for name in names:
            await runner.start(WORK, id=name, drive=False)
        async with working(runner, at_once=20):
            await all_done(runner, names[19:])
            await Runner(runner.store).start(WORK, id="late", drive=False)
            async with asyncio.timeout(10):
                await begun.wait()
            gate.open("ok")


@on_loop
async def test_a_full_worker_looks_again_from_time_to_time_though_no_action_ends() -> None:
    class Silent(MemoryStore):
        tended = 0

        async def ring(self) -> None:
            """It is lost."""

        async def tend(self) -> None:
            self.tended += 1

    gate, store = Gate(), Silent()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        for name in "ab":
            await runner.start(WORK, id=name, drive=False)
        async with working(runner, at_once=2, every=timedelta(milliseconds=5)):
            await gate.begun.wait()
            before = store.tended
            await until(lambda: store.tended > before + 2)
            gate.open("ok")


@on_loop
async def test_what_is_taken_while_a_worker_is_told_to_stop_goes_back_though_others_work_on() -> None:
    class Slow(MemoryStore):
        may_take = asyncio.Event()

        async def take(self, limit: int, lease: Lease, **filters: Any) -> list[Claimed]:
            claimed = list(await super().take(limit, lease, **filters))
            if "b" in {each.agent_id for each in claimed}:
                stopped.set()
                await self.may_take.wait()
            return claimed

    store, gate, stopped = Slow(), Gate(), asyncio.Event()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        await runner.start(WORK, id="a", drive=False)
        running = asyncio.create_task(Worker(runner, every=NEVER).run(stopped, drain_s=3_600))
        await gate.begun.wait()
        await runner.start(WORK, id="b", drive=False)
        await stopped.wait()
        store.may_take.set()
        async with asyncio.timeout(10):
            while (await store.head("b")).lease is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        assert not running.done()
        gate.open("ok")
        await running
        assert [(await runner.get(name)).status for name in "ab"] == [Status.DONE, Status.RUNNING]


@on_loop
async def test_a_single_turn_is_stopped_politely_too() -> None:
    gate, stopped = Gate(), asyncio.Event()
    async with Runner(MemoryStore(), actions=[gate.as_action()]) as runner:
        for name in "abc":
            await runner.start(WORK, id=name, drive=False)
        turn = asyncio.create_task(Worker(runner, at_once=1).run_once(stopped, drain_s=3_600))
        await gate.begun.wait()
        stopped.set()
        await asyncio.sleep(0.01)
        assert not turn.done()
        gate.open("ok")
        assert await turn == 1
        assert [(await runner.get(name)).status for name in "abc"] == [Status.DONE, Status.RUNNING, Status.RUNNING]
        assert [(await runner.store.head(name)).lease for name in "abc"] == [None] * 3


@pytest.mark.parametrize("kind", ["lapsed", "held_here"])
@on_loop
async def test_an_agent_that_is_deleted_while_its_lease_is_given_up_stops_no_worker(kind: str) -> None:
    class Deleting(MemoryStore):
        async def _gone(self, heads: Sequence[Head]) -> Sequence[Head]:
            for head in heads:
                await self.delete(head)
            return heads

        async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
            found = await super().lapsed(now_ms, limit)
            return await self._gone(found) if kind == "lapsed" else found

        async def held_here(self, host: str) -> Sequence[Head]:
            found = await super().held_here(host)
            return await self._gone(found) if kind == "held_here" else found

    clock = FakeClock()
    async with Runner(store := Deleting(clock=clock), actions=[work]) as runner:
        for name in "ab":
            await runner.start(WORK, id=name, drive=False)
        holder = this_process() if kind == "held_here" else Holder("elsewhere", 1, 0)
        await store.claim("a", await store.head("a"), Lease(holder, clock() + LEASE_MS))
        clock.advance(seconds=60)
        await Worker(runner, workflows=["other"]).run_once()
        assert [agent.id for agent in (await runner.list()).agents] == ["b"]


@pytest.mark.parametrize("at_once", [0, -1, 1.5, True, "many"])
def test_a_worker_without_places_is_refused(at_once: Any) -> None:
    with pytest.raises(ArgumentInvalid, match="at_once must be an integer"):
        Worker(Runner(MemoryStore()), at_once=at_once)


@on_loop
async def test_a_second_signal_ends_the_drain() -> None:
    store, gate, stopped, cancelled = MemoryStore(), Gate(), asyncio.Event(), asyncio.Event()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        await runner.start(WORK, id="a", drive=False)
        running = asyncio.create_task(Worker(runner, every=NEVER).run(stopped, drain_s=3_600, cancelled=cancelled))
        await gate.begun.wait()
        stopped.set()
        await asyncio.sleep(0.01)
        assert not running.done()
        cancelled.set()
        await running
        head = await store.head("a")
        assert (gate.was_cancelled, head.lease, head.status, head.attempts) == (True, None, Status.RUNNING, 0)


@on_loop
async def test_an_effect_that_may_be_done_once_is_given_its_end_by_a_worker_that_stops() -> None:
    begun, may_end, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def charge() -> str:
        begun.set()
        await may_end.wait()
        return "receipt"

    @action(name="work")
    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", charge, mode="at_most_once")
        return "ok"

    store = MemoryStore()
    async with Runner(store, actions=[pay]) as runner:
        await runner.start(WORK, id="a", drive=False)
        running = asyncio.create_task(Worker(runner, every=NEVER).run(stopped, drain_s=3_600))
        await begun.wait()
        stopped.set()
        await asyncio.sleep(0.01)
        may_end.set()
        await running
        assert (await runner.get("a")).status is Status.DONE
        assert [entry.result for entry in await store.effects("a")] == ["receipt"]


@on_loop
async def test_a_worker_that_stops_gives_back_what_it_could_not_drive() -> None:
    class Unreadable(MemoryStore):
        tried = asyncio.Event()

        async def load(self, agent_id: str, *, key: str | None = None) -> Any:
            self.tried.set()
            raise StoreUnavailable("away")

    store, stopped = Unreadable(), asyncio.Event()
    async with Runner(store, actions=[work]) as runner:
        await runner.start(WORK, id="a", drive=False)
        running = asyncio.create_task(Worker(runner, every=NEVER).run(stopped))
        await store.tried.wait()
        await until(lambda: True)
        assert (await store.head("a")).lease is not None
        stopped.set()
        await running
        assert (await store.head("a")).lease is None


@on_loop
async def test_a_lease_of_another_length_is_held() -> None:
    gate, store = Gate(), MemoryStore()
    async with Runner(store, actions=[gate.as_action()], lease_s=60) as runner:
        await runner.start(WORK, id="a", drive=False)
        before_ms = await store.now()
        async with working(runner):
            await gate.begun.wait()
            lease = (await store.head("a")).lease
            assert lease is not None
            assert before_ms + 60_000 <= lease.until_ms <= await store.now() + 60_000
            gate.open("ok")
            await all_done(runner, ["a"])
    for odd in (0, -1, True, "15"):
        with pytest.raises(ArgumentInvalid, match="lease_s"):
            Runner(MemoryStore(), lease_s=odd)  # type: ignore[arg-type]


@on_loop
async def test_an_agent_that_was_taken_and_then_taken_over_is_not_driven() -> None:
    store = MemoryStore()
    async with Runner(store, actions=[work]) as runner:
        await runner.start(WORK, id="a", drive=False)
        [claimed] = await runner.claims.take(9)
        theirs = Lease(Holder("elsewhere", 1, 0), await store.now() + 60_000)
        await store.claim("a", await store.head("a"), theirs)
        assert not (await runner.claims.drive(claimed)).is_vain
        head = await store.head("a")
        assert (head.version, head.epoch, head.lease) == (1, 3, theirs)


@on_loop
async def test_work_whose_lease_ran_out_is_stopped_where_its_agent_is_taken_again() -> None:
    clock, gates = FakeClock(), [Gate(), Gate()]
    calls = iter(gates)

    @action(name="work")
    async def wait(ctx: Context) -> str:
        gate = next(calls)
        gate.begun.set()
        try:
            return str(await gate.result)
        except asyncio.CancelledError:
            gate.was_cancelled = True
            raise

    async with Runner(MemoryStore(clock=clock), actions=[wait]) as runner:
        await runner.start(WORK, id="a", drive=False)
        [first] = await runner.claims.take(9)
        earlier = asyncio.create_task(runner.claims.drive(first))
        await gates[0].begun.wait()
        clock.advance(milliseconds=LEASE_MS)
        [second] = await runner.claims.take(9)
        later = asyncio.create_task(runner.claims.drive(second))
        await gates[1].begun.wait()
        assert gates[0].was_cancelled
        gates[1].open("ok")
        await asyncio.gather(earlier, later)
        assert (await runner.get("a")).status is Status.DONE
