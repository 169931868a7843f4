"""Who drives: one at a time, named to the others, replaced when dead, stopped when taken over."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Collection

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.actions.registry import Actions
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import LEASE_MS, Claimed, Holder, Lease
from fsm_agent.errors import Conflict, LeaseHeld
from fsm_agent.runtime.action_executor import ActionExecutor
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, dead_process, flow, on_loop, story

WORK = flow("""
    events: {ok: {}}
    initial: working
    states: {working: {do: work, on: {ok: done}}, done: {final: true}}
""")


@action(name="work")
async def ok(ctx: Context) -> str:
    return "ok"


class Renewing(MemoryStore):
    """Says when a lease was renewed."""

    renewed: asyncio.Event

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        renewed = await super().renew_all(held, lease)
        self.renewed.set()
        return renewed


@pytest.fixture
def renewing(monkeypatch: pytest.MonkeyPatch) -> tuple[Renewing, FakeClock]:
    """A store whose leases are renewed all the time, and its clock."""
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 1)
    clock = FakeClock()
    return Renewing(clock=clock), clock


async def left_behind(store: Store, holder: Holder) -> Head:
    """An agent ``a`` whose work was begun by ``holder``, who has not been heard of since."""
    await Runner(store).start(WORK, id="a", drive=False)
    head = await store.head("a")
    await store.claim("a", head, Lease(holder, await store.now() + LEASE_MS))
    return await store.head("a")


@on_loop
async def test_a_living_driver_is_named_and_goes_on() -> None:
    gate, store = Gate(), open_store("memory://")
    async with Runner(store, actions=[gate.as_action()]) as runner:
        started = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        with pytest.raises(LeaseHeld, match=f"agent 'a' is driven by process {os.getpid()} on {platform.node()} now"):
            await Runner(store).resume("a")
        gate.open("ok")
        assert (await started).status is Status.DONE
        assert (await store.head("a")).lease is None


@on_loop
async def test_two_resumes_at_once_drive_the_agent_once() -> None:
    gate, store = Gate(), open_store("memory://")
    async with Runner(store, actions=[gate.as_action()]) as runner:
        await runner.start(WORK, id="a", drive=False)
        both = [asyncio.create_task(each.resume("a")) for each in (runner, Runner(store, actions=[gate.as_action()]))]
        await gate.begun.wait()
        gate.open("ok")
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == ["Agent", "LeaseHeld"]
        assert gate.calls == 1


@on_loop
async def test_a_dead_driver_on_this_host_is_replaced_at_once() -> None:
    async with Runner(open_store("memory://", clock=FakeClock()), actions=[ok]) as runner:
        await left_behind(runner.store, dead_process())
        assert (await runner.resume("a")).status is Status.DONE


@on_loop
async def test_a_driver_elsewhere_is_believed_until_its_lease_runs_out() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[ok]) as runner:
        head = await left_behind(runner.store, Holder("elsewhere", 1, 0))
        clock.advance(milliseconds=LEASE_MS - 1)
        with pytest.raises(LeaseHeld, match="process 1 on elsewhere"):
            await runner.resume("a")
        clock.advance(milliseconds=1)
        assert (await runner.resume("a")).status is Status.DONE
        assert (await runner.store.head("a")).epoch > head.epoch


@on_loop
async def test_whoever_was_replaced_can_neither_commit_nor_note_an_attempt() -> None:
    """The old driver is stopped for so long that another one has taken over; then its action ends."""
    clock = FakeClock()
    store, gate = open_store("memory://", clock=clock), Gate()
    async with Runner(store, actions=[gate.as_action()]) as old:
        driven = asyncio.create_task(old.start(WORK, id="a"))
        await gate.begun.wait()
        head = await store.head("a")
        clock.advance(minutes=1)
        assert (await Runner(store, actions=[ok]).resume("a")).status is Status.DONE
        gate.open("ok")
        assert (await driven).status is Status.DONE
        assert story(await store.history("a")) == ["created created >working", "event ok working>done"]
        with pytest.raises(Conflict):
            await store.record_attempt("a", head.epoch, attempts=1, retry_ms=0)
        await store.release("a", head.epoch)


@on_loop
async def test_a_stale_epoch_commits_nothing_though_nothing_else_has_moved() -> None:
    store, gate = open_store("memory://"), Gate()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        await store.claim("a", await store.head("a"), Lease(Holder("elsewhere", 1, 0), await store.now() + LEASE_MS))
        gate.open("ok")
        assert (await driven).status is Status.RUNNING
        head = await store.head("a")
        assert (head.version, head.lease and head.lease.holder.host) == (1, "elsewhere")


@on_loop
async def test_renewing_finds_out_that_the_agent_was_taken_over_and_stops_the_action(
    renewing: tuple[Renewing, FakeClock],
) -> None:
    (store, _), gate = renewing, Gate()
    store.renewed = asyncio.Event()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        await store.claim("a", await store.head("a"), Lease(Holder("elsewhere", 1, 0), await store.now() + LEASE_MS))
        assert (await driven).status is Status.RUNNING
        assert gate.was_cancelled


@on_loop
async def test_a_lease_is_renewed_for_as_long_as_the_action_runs(renewing: tuple[Renewing, FakeClock]) -> None:
    (store, clock), gate = renewing, Gate()
    store.renewed = asyncio.Event()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        for _ in range(5):
            clock.advance(seconds=14)
            store.renewed.clear()
            await store.renewed.wait()
            assert (await store.head("a")).lease == Lease(this_process(), clock.ms + LEASE_MS)
        gate.open("ok")
        assert (await driven).status is Status.DONE


@on_loop
async def test_cancelling_the_driver_gives_the_lease_up_and_keeps_the_last_step() -> None:
    store, gate = open_store("memory://"), Gate()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        driven.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driven
        head = await store.head("a")
        assert (gate.was_cancelled, head.status, head.version, head.lease) == (True, Status.RUNNING, 1, None)
        assert (await Runner(store, actions=[ok]).resume("a")).status is Status.DONE


@on_loop
async def test_closing_the_runner_stops_its_actions_and_gives_their_leases_up() -> None:
    store, gate = open_store("memory://"), Gate()
    runner = Runner(store, actions=[gate.as_action()])
    driven = asyncio.create_task(runner.start(WORK, id="a"))
    await gate.begun.wait()
    await runner.close()
    assert (gate.was_cancelled, (await store.head("a")).lease) == (True, None)
    assert await asyncio.gather(driven, return_exceptions=True) != []
    assert driven.cancelled()


@on_loop
async def test_a_cancellation_from_outside_is_not_taken_for_a_takeover() -> None:
    store, gate = open_store("memory://"), Gate()
    actions = Actions([gate.as_action()])
    executor = ActionExecutor(store, actions)
    async with Runner(store, actions=actions, executor=executor) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        executor.interrupt("a", 2)
        driven.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driven
