"""A step is taken whole, on the version that it was made for, by whoever may take it."""

from __future__ import annotations

import asyncio

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.record import Committed, Origin, Snapshot
from fsm_agent.domain.step import Delta, KeyOutcome
from fsm_agent.errors import Conflict
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    PING,
    Bench,
    a_commit,
    a_creation,
    a_step,
    all_of,
    data_of,
    in_loop,
)


class SteppingContract(Bench):
    @in_loop
    async def test_a_step_moves_head_and_history_together(self, store: Store) -> None:
        await store.create(a_creation())
        assert await store.commit(a_commit(2, head={"state": "closed", "status": Status.DONE})) == Committed(1, 0)
        record, history = await all_of(store)
        assert (record.head.version, record.head.state, record.head.status) == (2, "closed", Status.DONE)
        assert list(history) == [a_step(1), a_step(2)]

    @in_loop
    async def test_a_step_on_any_other_version_is_refused_and_changes_nothing(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2))
        before = await all_of(store)
        for version in (1, 2, 4):
            for commit in (a_commit(version), a_commit(version, key="k", snapshot=Snapshot(version, {}))):
                with pytest.raises(Conflict, match=f"at version 2, and version {version - 1} was expected"):
                    await store.commit(commit)
        assert await all_of(store) == before
        assert (await store.load(ID, key="k")).outcome is None

    @in_loop
    async def test_of_many_steps_on_one_version_exactly_one_is_taken(self, store: Store) -> None:
        await store.create(a_creation())
        taken = 0

        async def drive() -> None:
            nonlocal taken
            while (version := (await store.head(ID)).version) < 20:
                try:
                    await store.commit(a_commit(version + 1))
                    taken += 1
                except Conflict:
                    await asyncio.sleep(0)

        await asyncio.gather(*(drive() for _ in range(8)))
        assert taken == 19
        assert [step.version for step in await store.history(ID)] == list(range(1, 21))

    @in_loop
    async def test_a_step_under_a_stale_epoch_is_refused_and_changes_nothing(self, store: Store) -> None:
        seen = await store.create(a_creation(lease=LEASE))
        epoch = await store.claim(ID, seen, Lease(Holder("there", 9, 1), LEASE.until_ms))
        before = await all_of(store)
        for commit in (a_commit(2, epoch=1), a_commit(2, epoch=1, key="k")):
            with pytest.raises(Conflict, match="has moved on"):
                await store.commit(commit)
        assert await all_of(store) == before
        assert (await store.commit(a_commit(2, epoch=epoch))).epoch == epoch

    @in_loop
    async def test_a_step_from_outside_raises_the_epoch_and_ends_the_lease(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        assert await store.commit(a_commit(2, epoch=None)) == Committed(2, 0)
        head = await store.head(ID)
        assert (head.epoch, head.lease) == (2, None)
        with pytest.raises(Conflict):
            await store.commit(a_commit(3, epoch=1))

    @in_loop
    async def test_a_step_sets_the_lease_or_gives_it_up(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        longer = Lease(LEASE.holder, LEASE.until_ms + 5_000)
        await store.commit(a_commit(2, lease=longer))
        assert (await store.head(ID)).lease == longer
        await store.commit(a_commit(3))
        assert (await store.head(ID)).lease is None

    @in_loop
    async def test_a_key_leads_to_the_version_of_its_step(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2, key="k", fingerprint="f"))
        assert (await store.load(ID, key="k")).outcome == KeyOutcome(2, "f")
        assert (await store.load(ID, key="other")).outcome is None
        assert (await store.load(ID)).outcome is None

    @in_loop
    async def test_a_taken_key_refuses_the_whole_step(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2, key="k", fingerprint="f"))
        before = await all_of(store)
        with pytest.raises(Conflict, match="has moved on"):
            await store.commit(a_commit(3, key="k", fingerprint="another"))
        assert await all_of(store) == before
        assert (await store.load(ID, key="k")).outcome == KeyOutcome(2, "f")

    @in_loop
    async def test_keys_of_different_agents_do_not_meet(self, store: Store) -> None:
        await store.create(a_creation())
        await store.create(a_creation("agent-2"))
        await store.commit(a_commit(2, key="k"))
        await store.enqueue("agent-2", 1, PING._replace(key="k"))
        assert (await store.load("agent-2", key="k")).outcome == KeyOutcome(None, "")

    @in_loop
    async def test_a_snapshot_stands_for_the_steps_up_to_it(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"a": 1, "b": {"c": 2}})))
        await store.commit(a_commit(2, delta=Delta({"b/c": 3})))
        await store.commit(a_commit(3, delta=Delta({"a": 4}), snapshot=Snapshot(3, {"a": 4, "b": {"c": 3}})))
        await store.commit(a_commit(4, delta=Delta({"b/d": 5}, remove=("b/c",))))
        record = await store.load(ID)
        assert record.snapshot == Snapshot(3, {"a": 4, "b": {"c": 3}})
        assert [step.version for step in record.tail] == [4]
        assert data_of(record) == {"a": 4, "b": {"d": 5}}

    @in_loop
    async def test_a_snapshot_replaces_the_one_before(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"a": 1})))
        for version in (2, 3):
            delta = Delta({"a": version})
            await store.commit(a_commit(version, delta=delta, snapshot=Snapshot(version, {"a": version})))
        record = await store.load(ID)
        assert (record.snapshot, record.tail) == (Snapshot(3, {"a": 3}), ())

    @in_loop
    async def test_what_was_appended_is_read_from_the_steps_even_if_a_snapshot_covers_them(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"log": [0], "late": [], "n": 0, "deep": {"list": []}})))
        for version in range(2, 6):
            append = {"log": [version], "deep/list": [version]} | ({"late": [version]} if version > 3 else {})
            await store.commit(a_commit(version, delta=Delta({"n": version}, append=append)))
        values = {"log": [0], "late": [], "n": 6, "deep": {"list": [2, 3, 4, 5]}}
        snapshot = Snapshot(6, values, {"log": 1, "late": 3})
        await store.commit(a_commit(6, delta=Delta({"n": 6}), snapshot=snapshot))
        await store.commit(a_commit(7, delta=Delta(append={"late": [7]})))
        record = await store.load(ID)
        assert record.snapshot == snapshot
        assert [step.version for step in record.tail] == [2, 3, 4, 5, 7]
        assert data_of(record) == {"log": [0, 2, 3, 4, 5], "late": [4, 5, 7], "n": 6, "deep": {"list": [2, 3, 4, 5]}}

    @in_loop
    async def test_a_snapshot_from_outside_is_refused_if_the_history_was_shortened_meanwhile(
        self, store: Store
    ) -> None:
        """It may count on steps that are gone."""
        await store.create(a_creation(delta=Delta({"log": []})))
        await store.commit(a_commit(2, delta=Delta(append={"log": [2]})))
        seen = await store.load(ID)
        await store.shorten(seen.head, Origin(seen.head, data_of(seen)))
        late = a_commit(3, epoch=None, head={"epoch": seen.head.epoch}, delta=Delta(append={"log": [3]}))
        late = late._replace(snapshot=Snapshot(2, {"log": []}, {"log": 1}))
        with pytest.raises(Conflict):
            await store.commit(late)
        await store.commit(late._replace(snapshot=None))
        head = {"epoch": (await store.head(ID)).epoch}
        await store.commit(a_commit(4, epoch=None, head=head, snapshot=Snapshot(3, {"log": [2]}, {"log": 2})))
        record = await store.load(ID)
        assert (data_of(record), record.head.epoch) == ({"log": [2, 3]}, head["epoch"] + 1)

    @in_loop
    async def test_appended_items_before_the_last_base_are_not_read_again(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"log": []})))
        await store.commit(a_commit(2, delta=Delta(append={"log": ["old"]})))
        await store.commit(a_commit(3, delta=Delta({"log": ["new"]})))
        await store.commit(
            a_commit(4, delta=Delta(append={"log": ["newer"]}), snapshot=Snapshot(4, {"log": ["new"]}, {"log": 3}))
        )
        record = await store.load(ID)
        assert [step.version for step in record.tail] == [4]
        assert data_of(record) == {"log": ["new", "newer"]}
