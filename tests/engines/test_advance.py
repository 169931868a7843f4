"""What an engine does with an agent: it drives it, hears when the agent needs somebody again, and gets no error."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.domain.record import Record
from fsm_agent.engines import advance
from fsm_agent.errors import AgentDamaged, FsmAgentError, StoreUnavailable
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, on_loop
from tests.support.wakeups import NotedWakeups

FLOW = flow("""
    events: {ok: {}, nap: {}, end: {}}
    initial: working
    states:
      working: {do: work, retry: {attempts: 3, backoff: 10s}, on: {ok: idle}}
      idle: {on: {nap: napping, end: done}}
      napping: {after: {1h: idle}}
      done: {final: true}
""")

NAP = flow("""
    initial: napping
    states:
      napping: {after: {1h: done}}
      done: {final: true}
""")


class Store(MemoryStore):
    """Raises ``error`` where an agent is loaded."""

    error: Exception | None = None

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        if self.error is not None:
            raise self.error
        return await super().load(agent_id, key=key)


def at_work(*outcomes: str | Exception) -> tuple[Runner, Store, FakeClock]:
    script = iter(outcomes)

    @action(name="work", inline=True)
    def work(ctx: Context) -> str:
        outcome = next(script, "ok")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    clock = FakeClock()
    store = Store(clock=clock)
    return Runner(store, actions=[work]), store, clock


@on_loop
async def test_it_drives_and_says_when_the_agent_needs_somebody_again() -> None:
    runner, _, clock = at_work(ValueError("not yet"))
    async with runner:
        await runner.start(FLOW, id="a", drive=False)
        assert await advance(runner, "a") == 10_000
        assert await advance(runner, "a") == 10_000
        clock.advance(seconds=10)
        assert await advance(runner, "a") is None
        assert (await runner.send("a", "nap")).state == "napping"
        clock.advance(minutes=30)
        assert await advance(runner, "a") == timedelta(minutes=30).total_seconds() * 1000
        clock.advance(minutes=30)
        assert await advance(runner, "a") is None
        await runner.send("a", "end")
        assert await advance(runner, "a") is None


@on_loop
async def test_an_agent_that_is_driven_elsewhere_is_looked_at_when_its_lease_ends() -> None:
    runner, store, clock = at_work()
    async with runner:
        await runner.start(FLOW, id="a", drive=False)
        await store.claim("a", await store.head("a"), Lease(Holder("elsewhere", 1, 0), clock.ms + LEASE_MS))
        assert await advance(runner, "a") == LEASE_MS
        clock.ms += LEASE_MS
        assert await advance(runner, "a") is None
        assert (await runner.get("a")).state == "idle"


@on_loop
async def test_an_agent_that_is_due_although_it_was_just_driven_has_a_pause() -> None:
    runner, store, _ = at_work()
    async with runner:
        await runner.start(FLOW, id="a", drive=False)
        runner.drain()
        assert await advance(runner, "a") == 1_000
        assert (await store.head("a")).wake_ms == 0


@pytest.mark.parametrize(
    ("error", "rest_ms", "levels"),
    [
        (StoreUnavailable("it is away"), 5_000, []),
        (AgentDamaged("a", "heads", "no number"), None, [logging.WARNING]),
        (FsmAgentError("whatever"), None, [logging.WARNING]),
        (ZeroDivisionError("a mistake of ours"), None, [logging.ERROR]),
    ],
)
@on_loop
async def test_what_goes_wrong_is_logged_and_not_raised(
    error: Exception, rest_ms: int | None, levels: Sequence[int], caplog: pytest.LogCaptureFixture
) -> None:
    runner, store, _ = at_work()
    async with runner:
        await runner.start(FLOW, id="a", drive=False)
        store.error = error
        assert await advance(runner, "a") == rest_ms
        told = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [record.levelno for record in told] == list(levels)
        assert all(str(error) in record.getMessage() for record in told)


@on_loop
async def test_whoever_advances_an_agent_wakes_nobody() -> None:
    noted, clock = NotedWakeups(), FakeClock()
    async with Runner(MemoryStore(clock=clock), wakeups=noted) as runner:
        await runner.start(NAP, id="a")
        assert noted.taken() == [("a", clock.ms + 3_600_000)]
        assert await advance(runner, "a") == 3_600_000
        assert noted.taken() == []


@on_loop
async def test_nobody_is_missed_who_is_not_there() -> None:
    runner, _, _ = at_work()
    async with runner:
        assert await advance(runner, "nobody") is None


@on_loop
async def test_an_agent_of_another_workflow_is_left_to_others() -> None:
    runner, store, _ = at_work()
    async with runner:
        await runner.start(FLOW, id="a", drive=False)
        assert await advance(runner, "a", workflows=["other"]) is None
        assert (await store.head("a")).wake_ms == 0
        assert await advance(runner, "a", workflows=["other", "w"]) is None
        assert (await store.head("a")).wake_ms is None


@on_loop
async def test_an_agent_whose_action_is_missing_here_is_left_to_others_and_not_parked() -> None:
    store = MemoryStore()
    async with Runner(store) as runner:
        await runner.start(FLOW, id="a", drive=False)
        assert await advance(runner, "a") is None
        head = await store.head("a")
        assert (head.status, head.lease) == (Status.RUNNING, None)
