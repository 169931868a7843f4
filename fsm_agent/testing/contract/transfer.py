"""Agents as a whole: moved to another definition, shortened, deleted, weighed, handed over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import AgentExport, Origin, Snapshot
from fsm_agent.domain.step import Delta, KeyOutcome
from fsm_agent.errors import AgentExists, AgentNotFound, Conflict, StoreCorrupt
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    PING,
    REFUND,
    Bench,
    a_commit,
    a_creation,
    a_head,
    all_of,
    an_effect,
    data_of,
    in_loop,
)


async def a_long_life(store: Store) -> None:
    """Versions 1 to 6, a list that was appended to, a snapshot in the middle, keys, a queued event, effects."""
    await store.create(a_creation(delta=Delta({"n": 1, "log": [1]}))._replace(key="start", fingerprint="s"))
    for version in range(2, 7):
        snapshot = Snapshot(4, {"n": 4, "log": [1]}, {"log": 1}) if version == 5 else None
        delta = Delta({"n": version}, append={"log": [version]})
        await store.commit(a_commit(version, delta=delta, snapshot=snapshot, key=f"key-{version}", fingerprint="f"))
    await store.enqueue(ID, 6, PING, "g")
    await store.begin_effect(ID, an_effect())
    await store.begin_effect(ID, an_effect(use=2))
    await store.end_effect(ID, an_effect(use=2, ended_ms=5, result=[1]))


def an_origin(version: int) -> Origin:
    return Origin(a_head(ID, version), {"n": version, "log": list(range(1, version + 1))})


class WholeContract(Bench):
    @in_loop
    async def test_a_step_may_move_an_agent_to_another_definition(self, store: Store) -> None:
        await store.create(a_creation())
        moved = a_head(ID, 2, workflow=REFUND)
        await store.commit(a_commit(2, head={"workflow": REFUND}, repins=True))
        head = await store.head(ID)
        assert _pin(head) == _pin(moved)
        assert [each.id for each in (await store.list(workflow=REFUND.name)).heads] == [ID]
        assert (await store.list(workflow="order")).heads == ()

    @in_loop
    async def test_a_step_that_does_not_say_so_moves_an_agent_nowhere(self, store: Store) -> None:
        await store.create(a_creation())
        pin = _pin(await store.head(ID))
        await store.commit(a_commit(2, head={"workflow": REFUND, "created_ms": 1}))
        await store.commit(a_commit(3, head={"workflow": REFUND, "created_ms": 1}, key="k"))
        head = await store.head(ID)
        assert (_pin(head), head.version) == (pin, 3)
        assert [each.id for each in (await store.list(workflow="order")).heads] == [ID]

    @in_loop
    async def test_a_definition_that_is_not_kept_pins_nobody(self, store: Store) -> None:
        await store.create(a_creation())
        before = await all_of(store)
        with pytest.raises(StoreCorrupt, match="keeps no workflow under the hash 'unknown'"):
            await store.commit(a_commit(2, head={"definition": "unknown"}, repins=True))
        assert await all_of(store) == before

    @in_loop
    async def test_a_shortened_history_begins_after_its_origin(self, store: Store) -> None:
        await a_long_life(store)
        before, history = await all_of(store)
        assert await store.shorten(before.head, an_origin(3)) == 3
        after = await store.load(ID)
        assert after.head == before.head._replace(epoch=before.head.epoch + 1)
        assert data_of(after) == data_of(before) == {"n": 6, "log": [1, 2, 3, 4, 5, 6]}
        assert list(await store.history(ID)) == list(history[3:])
        assert list(await store.history(ID, after=4, limit=1)) == [history[4]]
        origin = await store.origin(ID)
        assert origin is not None
        assert (origin.values, origin.head.version, origin.head.state) == (an_origin(3).values, 3, "open")
        assert (await store.load(ID, key="key-2")).outcome == KeyOutcome(2, "f"), "keys stay used"

    @in_loop
    async def test_a_history_may_be_shortened_again_and_to_nothing(self, store: Store) -> None:
        await a_long_life(store)
        assert await store.origin(ID) is None
        assert await store.shorten(await store.head(ID), an_origin(2)) == 2
        assert await store.shorten(await store.head(ID), an_origin(2)) == 0
        assert await store.shorten(await store.head(ID), an_origin(6)) == 4
        assert await store.history(ID) in ((), [])
        assert data_of(await store.load(ID)) == an_origin(6).values
        await store.commit(a_commit(7, epoch=None, delta=Delta(append={"log": [7]})))
        assert [step.version for step in await store.history(ID)] == [7]
        assert data_of(await store.load(ID))["log"] == [1, 2, 3, 4, 5, 6, 7]

    @in_loop
    async def test_who_is_created_after_a_shortened_agent_shares_nothing_with_it(self, store: Store) -> None:
        await a_long_life(store)
        await store.shorten(await store.head(ID), an_origin(6))
        await store.create(a_creation("other", delta=Delta({"n": 0})))
        assert data_of(await store.load(ID)) == an_origin(6).values
        assert data_of(await store.load("other")) == {"n": 0}
        assert list(await store.effects("other")) == []

    @in_loop
    async def test_who_has_moved_on_is_neither_shortened_nor_deleted(self, store: Store) -> None:
        await a_long_life(store)
        seen = await store.head(ID)
        stale = (seen._replace(version=5), seen._replace(epoch=9), seen._replace(lease=LEASE))
        before = await store.dump(ID)
        for head in stale:
            with pytest.raises(Conflict):
                await store.shorten(head, an_origin(3))
            with pytest.raises(Conflict):
                await store.delete(head)
        assert await store.dump(ID) == before

    @in_loop
    async def test_who_was_told_something_meanwhile_is_not_deleted(self, store: Store) -> None:
        seen = await store.create(a_creation())
        await store.enqueue(ID, 1, PING)
        before = await store.dump(ID)
        with pytest.raises(Conflict):
            await store.delete(seen)
        assert await store.dump(ID) == before
        await store.delete(before.head)

    @in_loop
    async def test_a_deleted_agent_leaves_nothing_behind(self, store: Store) -> None:
        await a_long_life(store)
        await store.create(a_creation("bystander"))
        await store.delete(await store.head(ID))
        for verb in (store.load(ID), store.history(ID), store.effects(ID), store.origin(ID), store.size(ID)):
            with pytest.raises(AgentNotFound):
                await verb
        assert [each.id for each in (await store.list()).heads] == ["bystander"]
        assert await store.find_key("start") is None
        await store.create(a_creation()._replace(key="start"))
        assert (await store.load(ID, key="key-2")).outcome is None
        assert list(await store.effects(ID)) == []
        assert len(await store.history(ID)) == 1

    @in_loop
    async def test_a_deleted_agent_is_not_due_and_not_held(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        await store.delete(await store.head(ID))
        assert list(await store.due(LEASE.until_ms, 9)) == []
        assert list(await store.held_here(LEASE.holder.host)) == []

    @in_loop
    async def test_what_is_kept_is_weighed(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"text": "x" * 1_000})))
        small = await store.size(ID)
        assert (small.steps, small.rest) == (1, 0)
        assert 1_000 < small.history < 1_400
        assert 0 < small.head < 300
        await store.commit(a_commit(2, delta=Delta({"text": "y" * 5_000}), snapshot=Snapshot(1, {"text": "x" * 1_000})))
        await store.begin_effect(ID, an_effect())
        large = await store.size(ID)
        assert large.steps == 2
        assert 5_000 < large.history - small.history < 5_400
        assert 1_000 < large.snapshot < 1_100
        assert 0 < large.rest < 200
        assert large.total == large.head + large.history + large.snapshot + large.rest

    @in_loop
    async def test_a_dossier_holds_everything(self, store: Store) -> None:
        await a_long_life(store)
        await store.shorten(await store.head(ID), an_origin(2))
        record, history = await all_of(store)
        export = await store.dump(ID)
        assert (export.head, export.queue, export.snapshot) == (record.head, record.queue, record.snapshot)
        assert (export.steps, export.start, export.numbered) == (tuple(history), ("start", "s"), 1)
        assert export.keys == {
            **{f"key-{version}": KeyOutcome(version, "f") for version in range(2, 7)},
            "ping-1": KeyOutcome(None, "g"),
        }
        assert export.effects == tuple(await store.effects(ID))
        assert export.origin == await store.origin(ID)

    @in_loop
    async def test_who_is_adopted_lives_on_as_before(self, store: Store, open_again: Callable[..., Store]) -> None:
        await a_long_life(store)
        await store.shorten(await store.head(ID), an_origin(2))
        export, other = await store.dump(ID), open_again("other")
        await other.save_workflow(REFUND.hash, REFUND.to_json())
        await other.save_workflow(export.head.definition, await store.load_workflow(export.head.definition))
        await other.adopt(export)
        assert await other.dump(ID) == export
        assert await other.load(ID, key="key-3") == await store.load(ID, key="key-3")
        assert await other.find_key("start") == (ID, "s")
        await other.commit(a_commit(7, epoch=2, dequeue=1))
        assert (await other.load(ID, key="ping-1")).outcome == KeyOutcome(7, "g")
        assert await other.enqueue(ID, 7, PING._replace(key=None)) == 1
        assert (await other.load(ID)).queue[0].number == 2

    @in_loop
    async def test_who_is_there_already_is_not_adopted(self, store: Store) -> None:
        await a_long_life(store)
        export = await store.dump(ID)
        with pytest.raises(AgentExists):
            await store.adopt(export)
        namesake = export._replace(head=export.head._replace(id="namesake"))
        with pytest.raises(AgentExists):
            await store.adopt(namesake)
        pinned_to_nothing = namesake._replace(start=None, head=namesake.head._replace(definition="unknown"))
        with pytest.raises(StoreCorrupt):
            await store.adopt(pinned_to_nothing)
        assert [each.id for each in (await store.list()).heads] == [ID]

    @in_loop
    async def test_who_is_adopted_may_take_the_place_of_who_was_there(self, store: Store) -> None:
        await a_long_life(store)
        there, whole = await store.head(ID), await store.dump(ID)
        later = there._replace(version=60, queued=0)
        origin, covered = Origin(later._replace(epoch=0, lease=None), {"n": 1}), Snapshot(60, {"n": 1})
        stub = AgentExport(later, steps=(), snapshot=covered, origin=origin, numbered=1, start=("start", "s"))
        await store.adopt(stub, replaces=there)
        assert await store.dump(ID) == stub
        assert await store.find_key("start") == (ID, "s")
        assert list(await store.effects(ID)) == []
        with pytest.raises(Conflict):
            await store.commit(a_commit(7, epoch=None))
        with pytest.raises(Conflict):
            await store.enqueue(ID, 6, PING)
        with pytest.raises(Conflict):
            await store.adopt(whole, replaces=there)
        await store.adopt(whole, replaces=stub.head)
        assert await store.dump(ID) == whole

    @in_loop
    async def test_who_has_moved_on_or_got_an_event_is_not_replaced(self, store: Store) -> None:
        await a_long_life(store)
        seen, whole = await store.head(ID), await store.dump(ID)
        await store.create(a_creation("other")._replace(key="taken"))
        for head in (seen._replace(version=5), seen._replace(epoch=9), seen._replace(lease=LEASE)):
            with pytest.raises(Conflict):
                await store.adopt(whole, replaces=head)
        with pytest.raises(Conflict):
            await store.adopt(whole, replaces=seen._replace(queued=0))
        with pytest.raises(AgentExists):
            await store.adopt(whole._replace(start=("taken", "")), replaces=seen)
        with pytest.raises(StoreCorrupt):
            await store.adopt(whole._replace(head=seen._replace(definition="unknown")), replaces=seen)
        nobody = seen._replace(id="nobody")
        with pytest.raises(AgentNotFound):
            await store.adopt(whole._replace(head=nobody), replaces=nobody)
        assert await store.dump(ID) == whole

    @in_loop
    async def test_an_adopted_agent_is_due_and_held_as_before(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        export = await store.dump(ID)
        await store.delete(export.head)
        await store.adopt(export)
        assert [head.id for head in await store.held_here(LEASE.holder.host)] == [ID]
        assert list(await store.due(LEASE.until_ms - 1, 9)) == []
        assert list(await store.due(LEASE.until_ms, 9)) == [ID]


def _pin(head: Head) -> dict[str, object]:
    return {
        "workflow": head.workflow,
        "workflow_version": head.workflow_version,
        "definition": head.definition,
    }
