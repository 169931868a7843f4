"""An event that was acknowledged while an action ran is kept until a step decides it."""

from __future__ import annotations

import asyncio

import pytest

from fsm_agent.domain.agent import ArmedTimer
from fsm_agent.domain.record import Committed
from fsm_agent.domain.step import Event, KeyOutcome, Queued
from fsm_agent.errors import Conflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, LEASE, PING, Bench, a_commit, a_creation, all_of, in_loop

PONG = Event("pong", {"text": "x"})


class QueueingContract(Bench):
    @in_loop
    async def test_queued_events_are_kept_in_the_order_of_their_arrival(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        assert [await store.enqueue(ID, 1, event) for event in (PING, PONG)] == [1, 2]
        record = await store.load(ID)
        assert record.queue == (Queued(1, PING, 1), Queued(2, PONG, 1))
        assert (record.head.queued, record.head.version, record.head.epoch) == (2, 1, 1)

    @in_loop
    async def test_an_event_for_another_version_is_refused_and_not_kept(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2))
        for version in (1, 3):
            with pytest.raises(Conflict, match=f"at version 2, and version {version}"):
                await store.enqueue(ID, version, PING)
        record = await store.load(ID, key=PING.key)
        assert (record.queue, record.outcome) == ((), None)

    @in_loop
    async def test_without_a_version_an_event_is_kept_wherever_the_agent_stands(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2))
        assert await store.enqueue(ID, None, PING) == 1
        assert (await store.load(ID)).queue == (Queued(1, PING, 2),)
        with pytest.raises(Conflict, match="has moved on, and version 2"):
            await store.enqueue(ID, None, PING)

    @in_loop
    async def test_the_key_of_a_queued_event_has_no_version_until_it_is_decided(self, store: Store) -> None:
        await store.create(a_creation())
        await store.enqueue(ID, 1, PING, "f")
        assert (await store.load(ID, key="ping-1")).outcome == KeyOutcome(None, "f")
        await store.commit(a_commit(2))
        assert (await store.load(ID, key="ping-1")).outcome == KeyOutcome(None, "f")
        await store.commit(a_commit(3, dequeue=1))
        assert (await store.load(ID, key="ping-1")).outcome == KeyOutcome(3, "f")

    @in_loop
    async def test_a_used_key_is_refused_by_queue_and_step_alike(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2, key="k"))
        await store.enqueue(ID, 2, PING)
        before = await all_of(store)
        for key in ("k", "ping-1"):
            with pytest.raises(Conflict, match="has moved on"):
                await store.enqueue(ID, 2, PONG._replace(key=key))
            with pytest.raises(Conflict, match="has moved on"):
                await store.commit(a_commit(3, key=key))
        assert await all_of(store) == before

    @in_loop
    async def test_a_step_takes_the_event_that_it_decides_out_of_the_queue(self, store: Store) -> None:
        await store.create(a_creation())
        await store.enqueue(ID, 1, PING)
        await store.enqueue(ID, 1, PONG)
        assert await store.commit(a_commit(2, dequeue=1)) == Committed(1, 1)
        record = await store.load(ID)
        assert (record.queue, record.head.queued) == ((Queued(2, PONG, 1),), 1)

    @in_loop
    async def test_a_step_that_decides_what_is_not_queued_is_refused_and_changes_nothing(self, store: Store) -> None:
        await store.create(a_creation())
        await store.enqueue(ID, 1, PING)
        before = await all_of(store)
        with pytest.raises(Conflict, match="has moved on"):
            await store.commit(a_commit(2, dequeue=2))
        assert await all_of(store) == before

    @in_loop
    async def test_an_event_that_arrives_while_a_step_is_made_is_not_lost(self, store: Store) -> None:
        seen = await store.create(a_creation(lease=LEASE))
        await store.enqueue(ID, 1, PING)
        assert await store.commit(a_commit(2, head={"queued": seen.queued})) == Committed(1, 1)
        assert (await store.load(ID)).queue == (Queued(1, PING, 1),)

    @in_loop
    async def test_numbers_of_decided_events_are_not_given_again(self, store: Store) -> None:
        await store.create(a_creation())
        await store.enqueue(ID, 1, PING)
        await store.commit(a_commit(2, dequeue=1))
        await store.enqueue(ID, 2, PONG)
        assert (await store.load(ID)).queue == (Queued(2, PONG, 2),)

    @in_loop
    async def test_a_queue_makes_its_agent_due_until_it_is_empty(self, store: Store) -> None:
        timers = (ArmedTimer("open", "1h", NEW_YEAR_MS + 3_600_000),)
        await store.create(a_creation(timers=timers))
        assert await store.due(NEW_YEAR_MS, 9) == []
        await store.enqueue(ID, 1, PING)
        assert await store.due(NEW_YEAR_MS, 9) == [ID]
        await store.commit(a_commit(2, head={"timers": timers}))
        assert await store.due(NEW_YEAR_MS, 9) == [ID]
        await store.commit(a_commit(3, head={"timers": timers}, dequeue=1))
        assert await store.due(NEW_YEAR_MS, 9) == []
        assert await store.due(NEW_YEAR_MS + 3_600_000, 9) == [ID]

    @in_loop
    async def test_of_many_events_under_one_key_exactly_one_is_kept(self, store: Store) -> None:
        await store.create(a_creation())
        outcomes = await asyncio.gather(*(store.enqueue(ID, 1, PING) for _ in range(10)), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 9 + ["int"]
        assert len((await store.load(ID)).queue) == 1
