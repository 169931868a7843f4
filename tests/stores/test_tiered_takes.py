"""Agents in cold that are due: a take brings them back, once, whatever happens to others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.domain.record import AgentExport
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.stores.tiered.policy import Tiers
from fsm_agent.stores.tiered.store import TieredStore
from fsm_agent.testing.contract.fixtures import LEASE, REFUND, a_creation, keep_definitions
from tests.support.runtime import on_loop

DUE_MS = NEW_YEAR_MS + 50
#: a worker that comes when the timers are due
HERE = Lease(Holder("here", 7, 1), LEASE.until_ms)


class Cold(MemoryStore):
    """A store that cannot be reached now and then."""

    is_away = False
    asked = 0

    async def dump(self, agent_id: str) -> AgentExport:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("memory:// is away")
        return await super().dump(agent_id)


async def a_tiered(archived: int) -> tuple[TieredStore, MemoryStore, Cold, FakeClock]:
    """With so many agents in cold, whose timers are due in this order; the clock says when all are."""
    clock = FakeClock(NEW_YEAR_MS)
    warm, cold = MemoryStore(clock=clock), Cold(clock=clock)
    store = TieredStore(Tiers(warm, cold))
    await keep_definitions(store)
    for number in range(archived):
        await archive(store, f"cold-{number}", NEW_YEAR_MS + 10 + number)
    clock.ms = DUE_MS
    return store, warm, cold, clock


async def archive(store: TieredStore, agent_id: str, due_ms: int) -> None:
    await store.create(a_creation(agent_id, timers=(ArmedTimer("open", "1ms", due_ms),)))
    assert await store._moves.archive(agent_id)


@on_loop
async def test_who_is_in_cold_and_due_is_brought_back_by_who_takes_it() -> None:
    store, warm, _, clock = await a_tiered(3)
    clock.ms = NEW_YEAR_MS + 9
    assert list(await store.take(9, HERE)) == []
    clock.ms = DUE_MS
    [claimed] = await store.take(1, HERE)
    record = await store.load("cold-0")
    assert (claimed.agent_id, record.head.version, record.head.lease) == ("cold-0", 1, HERE)
    assert record.head.epoch == claimed.epoch
    assert [step.version for step in await store.history("cold-0")] == [1]
    assert [(await warm.head(f"cold-{number}")).version for number in range(3)] == [1, -1, -1]
    assert sorted(agent_id for agent_id, _ in await store.take(9, HERE)) == ["cold-1", "cold-2"]
    assert list(await store.take(9, HERE)) == []


@on_loop
async def test_others_that_are_left_to_others_do_not_hide_who_is_in_cold() -> None:
    store, warm, _, _ = await a_tiered(1)
    for number in range(20):
        refund = a_creation(f"refund-{number}", workflow=REFUND, status=Status.RUNNING, updated_ms=NEW_YEAR_MS)
        closed = a_creation(f"closed-{number}", state="closed", status=Status.RUNNING, updated_ms=NEW_YEAR_MS)
        await store.create(refund)
        await store.create(closed)
    left_out = [((await warm.head("closed-0")).definition, "closed")]
    assert list(await store.take(2, HERE, workflows=["refund"], without=[(REFUND.hash, "open")])) == []
    assert (await warm.head("cold-0")).version == -1, "who is not wanted stays where it is"
    [claimed] = await store.take(2, HERE, workflows=["order"], without=left_out)
    assert claimed.agent_id == "cold-0"


@on_loop
async def test_whose_copy_is_missing_keeps_nobody_else_from_being_taken(caplog: pytest.LogCaptureFixture) -> None:
    store, _, cold, _ = await a_tiered(3)
    await cold.delete(await cold.head("cold-0"))
    await store.create(a_creation("warm", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 40))
    with caplog.at_level(logging.WARNING, "fsm_agent"):
        taken = [await store.take(1, HERE) for _ in range(4)]
    assert [[agent_id for agent_id, _ in each] for each in taken] == [["cold-1"], ["cold-2"], ["warm"], []]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["agent cold-0 is not brought back"]


@on_loop
async def test_while_cold_is_away_those_in_warm_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    store, _, cold, _ = await a_tiered(5)
    await store.create(a_creation("warm", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 40))
    cold.is_away, cold.asked = True, 0
    with caplog.at_level(logging.WARNING, "fsm_agent"):
        assert list(await store.take(9, HERE)) == [Claimed("warm", 2)]
        assert list(await store.take(9, HERE)) == []
    assert cold.asked == 2, "it is asked once at each take"
    assert [record.getMessage() for record in caplog.records] == ["agent cold-0 is not brought back: memory:// is away"]
    cold.is_away = False
    assert len(await store.take(9, HERE)) == 5


@on_loop
async def test_an_agent_that_was_read_lately_is_not_read_again_when_it_is_taken() -> None:
    store, warm, _, _ = await a_tiered(0)
    await store.create(a_creation("a", status=Status.RUNNING))
    before = await store.load("a")
    [claimed] = await store.take(1, HERE)
    loads = _count_loads(warm)
    after = await store.load("a")
    assert after == before._replace(head=before.head._replace(epoch=claimed.epoch, lease=HERE))
    assert loads() == 0
    await warm.release("a", claimed.epoch)
    await warm.take(1, HERE)
    assert (await store.load("a")).head.epoch == claimed.epoch + 1
    assert loads() == 1


def _count_loads(store: MemoryStore) -> Callable[[], int]:
    loads, load = list[str](), store.load

    def counted(agent_id: str, *, key: str | None = None) -> Awaitable[object]:
        loads.append(agent_id)
        return load(agent_id, key=key)

    store.load = counted  # type: ignore[method-assign, assignment]
    return lambda: len(loads)


@on_loop
async def test_takers_at_the_same_time_bring_back_and_take_each_agent_once(tmp_path: Path) -> None:
    clock = FakeClock(NEW_YEAR_MS)

    def opened() -> TieredStore:
        warm, cold = (SqliteStore(tmp_path / f"{name}.db", clock=clock) for name in ("warm", "cold"))
        return TieredStore(Tiers(warm, cold))

    stores = [opened() for _ in range(3)]
    await keep_definitions(stores[0])
    for number in range(20):
        await archive(stores[0], f"cold-{number:02}", NEW_YEAR_MS + number)
    clock.ms = DUE_MS
    taken = list[Claimed]()
    while len(taken) < 20:
        found = await asyncio.gather(*(store.take(4, HERE) for store in stores))
        taken += [claimed for claims in found for claimed in claims]
        assert any(found)
    assert sorted(agent_id for agent_id, _ in taken) == [f"cold-{number:02}" for number in range(20)]
    for agent_id, epoch in taken:
        head = (await stores[0].load(agent_id)).head
        assert (head.version, head.epoch, head.lease) == (1, epoch, HERE)
    for store in stores:
        await store.close()
