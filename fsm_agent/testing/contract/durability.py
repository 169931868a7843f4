"""What is kept outlives the store that kept it, and several stores may have it open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Snapshot
from fsm_agent.domain.selection import Tally
from fsm_agent.domain.step import Delta
from fsm_agent.errors import AgentExists, Conflict
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    ORDER,
    PING,
    Bench,
    a_commit,
    a_creation,
    all_of,
    data_of,
    in_loop,
)
from fsm_agent.testing.contract.questions import asked_by, asking, take
from fsm_agent.testing.contract.selections import selected


class SharingContract(Bench):
    @in_loop
    async def test_opening_again_finds_everything(self, store: Store, open_again: Callable[..., Store]) -> None:
        await store.create(a_creation(delta=Delta({"log": [1]}), lease=LEASE)._replace(key="k", fingerprint="f"))
        await store.commit(
            a_commit(2, delta=Delta(append={"log": [2]}), snapshot=Snapshot(2, {"log": [1]}, {"log": 1}))
        )
        await store.enqueue(ID, 2, PING, "g")
        before = await all_of(store), await store.load(ID, key=PING.key)
        await store.close()
        again = open_again()
        assert (await all_of(again), await again.load(ID, key=PING.key)) == before
        assert data_of(await again.load(ID)) == {"log": [1, 2]}
        assert await again.load_workflow(ORDER.hash) == ORDER.to_json()
        assert await again.find_key("k") == (ID, "f")

    @in_loop
    async def test_a_commit_is_seen_at_once_by_every_other_store(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again()
        await store.create(a_creation())
        for version in range(2, 12):
            writer, reader = (store, other) if version % 2 else (other, store)
            await writer.commit(a_commit(version))
            assert (await reader.load(ID)).head.version == version

    @in_loop
    async def test_a_question_is_found_at_once_by_every_other_store_and_by_one_that_opens_again(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again()
        for number in range(4):
            await store.create(a_creation(f"a{number}", user="ana", labels={"x": "1"}, **asking("ana", due=number)))
            writer, reader = (store, other) if number % 2 else (other, store)
            await take(writer, f"a{number}", **asking("bob", due=-number))
            assert (await reader.questions(to="bob")).heads[0].id == f"a{number}"
            assert await reader.count_questions(to="ana") == 0
        await store.close()
        again = open_again()
        assert await asked_by(again) == await asked_by(again, to="bob") == ["a3", "a2", "a1", "a0"]
        assert await selected(again, label=("x", "1"), user="ana", newest=True) == ["a3", "a2", "a1", "a0"]
        assert [*await again.tally()] == [Tally("order", "open", Status.WAITING, 4)]

    @in_loop
    async def test_of_stores_that_commit_one_version_exactly_one_wins(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        await store.create(a_creation())
        stores = [open_again() for _ in range(3)]
        for version in range(2, 12):
            racing = (each.commit(a_commit(version)) for each in stores)
            outcomes = await asyncio.gather(*racing, return_exceptions=True)
            assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 2
        assert [step.version for step in await store.history(ID)] == list(range(1, 12))

    @in_loop
    async def test_an_agent_that_another_store_made_is_taken(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        await open_again().create(a_creation())
        with pytest.raises(AgentExists):
            await store.create(a_creation())

    @in_loop
    async def test_time_is_not_before_what_another_store_wrote(
        self, store: Store, open_again: Callable[..., Store], clock: FakeClock
    ) -> None:
        later = clock.ms + 60_000
        await store.create(a_creation(updated_ms=later))
        other = open_again()
        await other.load(ID)
        assert await other.now() == later
