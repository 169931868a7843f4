"""Others are woken for an agent that a call leaves with work, and for no other; a wake-up that fails harms nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fsm_agent import sync
from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime import wakeups as module
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import OutageLog, SentWakeups, StoreBell
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, flow, on_loop
from tests.support.wakeups import NotedWakeups

WORK = flow("""
    events: {go: {}, ok: {}, note: {}, later: {}, end: {}}
    initial: idle
    on: {note: {}}
    states:
      idle: {on: {go: working, later: napping, end: done}}
      working: {do: work, on: {ok: idle}}
      napping: {after: {1h: idle}}
      done: {final: true}
""")


@action(name="work", inline=True)
def work(ctx: Context) -> str:
    return "ok"


@asynccontextmanager
async def running(*actions: Any) -> AsyncGenerator[tuple[Runner, NotedWakeups, FakeClock]]:
    noted, clock = NotedWakeups(), FakeClock()
    async with Runner(MemoryStore(clock=clock), actions=actions or [work], wakeups=noted) as runner:
        yield runner, noted, clock


@on_loop
async def test_whoever_does_not_drive_wakes_those_who_do() -> None:
    async with running() as (runner, noted, _):
        await runner.start(WORK, "go", id="a", drive=False)
        assert noted.taken() == [("a", None)]
        await runner.start(WORK, id="b")
        assert noted.taken() == []
        await runner.send("b", "go", drive=False)
        assert noted.taken() == [("b", None)]


@on_loop
async def test_what_is_driven_to_its_rest_wakes_nobody() -> None:
    async with running() as (runner, noted, _):
        await runner.start(WORK, "go", id="a")
        await runner.send("a", "go")
        await runner.send("a", "end")
        assert noted.taken() == []


@on_loop
async def test_a_timer_is_told_with_its_time() -> None:
    async with running() as (runner, noted, clock):
        await runner.start(WORK, "later", id="a")
        assert noted.taken() == [("a", clock.ms + 3_600_000)]


@on_loop
async def test_whoever_repeats_a_call_wakes_again() -> None:
    async with running() as (runner, noted, _):
        for _ in range(2):
            await runner.start(WORK, "go", id="a", key="once", drive=False)
        assert noted.taken() == [("a", None), ("a", None)]


@on_loop
async def test_an_event_that_is_queued_behind_work_here_wakes_nobody() -> None:
    gate = Gate()
    async with running(gate.as_action()) as (runner, noted, _):
        driven = asyncio.create_task(runner.start(WORK, "go", id="a"))
        await gate.begun.wait()
        assert (await runner.send("a", "note")).delivery == "queued"
        gate.open("ok")
        await driven
        assert noted.taken() == []


@on_loop
async def test_an_event_that_is_queued_behind_work_elsewhere_tells_when_its_lease_ends() -> None:
    async with running() as (runner, noted, clock):
        await runner.start(WORK, "go", id="a", drive=False)
        there = Lease(Holder("elsewhere", 1, 0), clock.ms + LEASE_MS)
        await runner.store.claim("a", await runner.store.head("a"), there)
        noted.taken()
        assert (await runner.send("a", "note")).delivery == "queued"
        assert noted.taken() == [("a", there.until_ms)]


@on_loop
async def test_an_event_that_waits_for_an_operator_wakes_nobody() -> None:
    declared = flow("""
        limits: {steps: 2}
        events: {go: {}}
        initial: idle
        states:
          idle: {on: {go: idle}}
    """)
    async with running() as (runner, noted, _):
        await runner.start(declared, id="a")
        await runner.send("a", "go")
        sent = await runner.send("a", "go")
        assert (sent.status, sent.delivery, noted.taken()) == (Status.PARKED, "queued", [])


@on_loop
async def test_an_agent_that_is_taken_out_of_its_work_here_is_told() -> None:
    gate = Gate()
    async with running(gate.as_action()) as (runner, noted, _):
        declared = flow("""
            events: {ok: {}, again: {}}
            initial: working
            states:
              working: {do: work, on: {ok: working, again: working}}
        """)
        driven = asyncio.create_task(runner.start(declared, id="a"))
        await gate.begun.wait()
        await runner.send("a", "again", drive=False)
        assert ("a", None) in noted.taken()
        driven.cancel()
        await asyncio.gather(driven, return_exceptions=True)


@on_loop
async def test_cancel_unpark_and_rewind_wake_too() -> None:
    declared = flow("""
        events: {ok: {}}
        initial: working
        on: {cancel: clearing}
        states:
          working: {do: work, on: {ok: resting}}
          resting: {}
          clearing: {do: work, on: {ok: resting}}
    """)
    async with running() as (runner, noted, _):
        await runner.start(declared, id="a")
        await runner.cancel("a", drive=False)
        assert noted.taken() == [("a", None)]
        await runner.rewind("a", 1, drive=False)
        assert noted.taken() == []  # it is parked: what it needs is an operator
        await runner.unpark("a", drive=False)
        assert noted.taken() == [("a", None)]


@on_loop
async def test_a_fork_wakes_for_the_timer_that_it_brings() -> None:
    async with running() as (runner, noted, clock):
        await runner.start(WORK, "later", id="a")
        noted.taken()
        await runner.fork("a", id="b")
        assert noted.taken() == [("b", clock.ms + 3_600_000)]


@on_loop
async def test_whoever_resumes_looks_after_the_agent_and_wakes_nobody() -> None:
    async with running() as (runner, noted, clock):
        await runner.start(WORK, "later", id="a")
        noted.taken()
        await runner.resume("a", stay=False)
        clock.advance(hours=1)
        await runner.resume("a", stay=False)
        assert noted.taken() == []


@on_loop
async def test_by_default_the_bell_of_the_store_rings_for_what_is_due_now() -> None:
    clock = FakeClock()
    heard: list[int] = []
    async with Runner(MemoryStore(clock=clock), actions=[work]) as runner:
        listening = asyncio.create_task(runner.store.listen(lambda: heard.append(1)))
        await asyncio.sleep(0)
        assert len(heard) == 1  # as soon as it listens
        await runner.start(WORK, "go", id="a")
        await runner.start(WORK, "later", id="b")
        assert len(heard) == 1
        await runner.send("a", "go", drive=False)
        assert len(heard) == 2
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def test_a_blocking_caller_rings_before_its_call_returns() -> None:
    store = CountedBell()
    with sync.Runner(store, actions=[work]) as runner:
        runner.start(WORK, "go", id="a", drive=False)
        assert store.rings == 1


def test_a_blocking_caller_has_a_loop_where_its_wake_ups_need_one() -> None:
    class Looped(NotedWakeups):
        needs_loop = True

        async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
            assert asyncio.get_running_loop().is_running()
            await super().wake(agent_id, at_ms)

    noted = Looped()
    with sync.Runner(MemoryStore(), actions=[work], wakeups=noted) as runner:
        assert runner.start(WORK, "go", id="a", drive=False).state == "working"
        assert noted.taken() == [("a", None)]


class CountedBell(MemoryStore):
    """Counts its rings, each of which may have to wait, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0
        self.waits_for: asyncio.Event | None = None
        self.error: Exception | None = None

    async def ring(self) -> None:
        self.rings += 1
        if self.waits_for is not None:
            await self.waits_for.wait()
        if self.error is not None:
            raise self.error


@on_loop
async def test_a_hundred_wake_ups_at_once_are_two_rings() -> None:
    async with CountedBell() as store:
        store.waits_for = asyncio.Event()
        bell = StoreBell(store)
        wakes = [asyncio.create_task(bell.wake(f"a{number}")) for number in range(100)]
        await asyncio.sleep(0)
        assert store.rings == 1
        store.waits_for.set()
        await asyncio.gather(*wakes)
        assert store.rings == 2
        await bell.wake("later")
        assert store.rings == 3


@on_loop
async def test_a_caller_who_is_cancelled_while_it_rings_leaves_the_ring_to_the_next() -> None:
    async with CountedBell() as store:
        store.waits_for = asyncio.Event()
        bell = StoreBell(store)
        first, second = (asyncio.create_task(bell.wake(name)) for name in "ab")
        await asyncio.sleep(0)
        first.cancel()
        store.waits_for.set()
        await second
        assert (store.rings, first.cancelled()) == (2, True)


@on_loop
async def test_a_bell_that_fails_harms_nobody_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    store = CountedBell()
    store.error = StoreUnavailable("it is gone")
    async with Runner(store, actions=[work]) as runner:
        for name in ("a", "b"):
            assert (await runner.start(WORK, "go", id=name, drive=False)).state == "working"
        store.error = None
        await runner.start(WORK, "go", id="c", drive=False)
        store.error = StoreUnavailable("it is gone again")
        await runner.start(WORK, "go", id="d", drive=False)
    told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.rpartition(": ")[2] for line in told] == ["it is gone", "it is gone again"]
    assert "wait for the next sweep" in told[0]


@on_loop
async def test_a_wake_up_that_hangs_ends_in_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAKE_S", 0.01)
    store = CountedBell()
    store.waits_for = asyncio.Event()
    async with Runner(store, actions=[work]) as runner:
        assert (await runner.start(WORK, "go", id="a", drive=False)).state == "working"
    assert [record.message for record in caplog.records if "no answer within" in record.message] != []


@on_loop
async def test_after_a_failure_nothing_is_sent_for_a_while() -> None:
    class Away(SentWakeups):
        sent = 0

        async def send(self, agent_id: str, at_ms: int | None) -> None:
            self.sent += 1
            raise OSError("no route")

    patient, eager = Away("nowhere", pause_s=3600), Away("nowhere", pause_s=0)
    for _ in range(3):
        await patient.wake("a")
        await eager.wake("a")
    assert (patient.sent, eager.sent) == (1, 3)


@on_loop
async def test_even_what_is_no_exception_is_not_raised_but_a_cancelled_caller_is_cancelled() -> None:
    class Panic(BaseException):
        pass

    class Panicking(SentWakeups):
        begun = asyncio.Event()

        async def send(self, agent_id: str, at_ms: int | None) -> None:
            if agent_id == "panic":
                raise Panic
            self.begun.set()
            await asyncio.Event().wait()

    wakeups = Panicking("nowhere", pause_s=0)
    await wakeups.wake("panic")
    waking = asyncio.create_task(wakeups.wake("hangs"))
    await wakeups.begun.wait()
    waking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waking


def test_an_outage_is_told_again_after_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    seconds = iter((0, 59, 60, 61))
    log = OutageLog("it is away", clock=lambda: next(seconds))
    for _ in range(4):
        log.begins(OSError("no route"))
    assert [record.message for record in caplog.records] == ["it is away: no route"] * 2
