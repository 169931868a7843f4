"""Looking: pages, histories, time; and that nothing which was handed in or out is shared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from fsm_agent.domain.agent import Status
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import Snapshot
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    ORDER,
    REFUND,
    Bench,
    a_commit,
    a_creation,
    all_of,
    in_loop,
    keep_definitions,
)


class ReadingContract(Bench):
    @in_loop
    async def test_pages_go_through_all_agents_in_the_order_of_their_ids(self, store: Store) -> None:
        for name in ("c", "A", "a.1", "b", "a-1"):
            await store.create(a_creation(name))
        seen, after = [], None
        while True:
            page = await store.list(limit=2, after=after)
            seen.append([head.id for head in page.heads])
            if (after := page.next) is None:
                break
        assert seen == [["A", "a-1"], ["a.1", "b"], ["c"]]

    @in_loop
    async def test_the_last_page_says_that_it_is_the_last_even_if_it_is_full(self, store: Store) -> None:
        for name in ("a", "b"):
            await store.create(a_creation(name))
        assert (await store.list(limit=1)).next == "a"
        assert (await store.list(limit=1, after="a")).next is None
        assert (await store.list(after="b")).heads == ()

    @in_loop
    async def test_agents_are_listed_by_status_and_by_workflow(self, store: Store) -> None:
        await store.create(a_creation("a"))
        await store.create(a_creation("b", status=Status.PARKED))
        await store.create(a_creation("c", status=Status.PARKED, workflow=REFUND))

        async def listed(**wanted: Any) -> list[str]:
            return [head.id for head in (await store.list(**wanted)).heads]

        assert await listed(status=Status.PARKED) == ["b", "c"]
        assert await listed(workflow="refund") == ["c"]
        assert await listed(status=Status.PARKED, workflow="order") == ["b"]
        assert await listed(status=Status.DONE) == []
        assert await listed(status=Status.PARKED, limit=1) == ["b"]

    @in_loop
    async def test_ids_are_found_by_how_they_begin_or_end(self, store: Store, open_again: Callable[..., Store]) -> None:
        other = open_again("other")
        await keep_definitions(other)
        await other.create(a_creation("one-apple-elsewhere"))
        for name in ("one-apple", "two-apple", "One-apple", "apple-pie", "one_apple.1", "apple"):
            await store.create(a_creation(name))
        assert await store.find_ids("one-ap", limit=9) == ["one-apple"]
        assert await store.find_ids("-apple", limit=9) == ["One-apple", "one-apple", "two-apple"]
        assert await store.find_ids("apple", limit=9) == ["One-apple", "apple", "apple-pie", "one-apple", "two-apple"]
        assert await store.find_ids("-apple", limit=2) == ["One-apple", "one-apple"]
        assert await store.find_ids("one.ap", limit=9) == []
        assert await store.find_ids("one_ap", limit=9) == ["one_apple.1"]
        assert await store.find_ids("much-longer-than-any-id-that-there-is", limit=9) == []

    @in_loop
    async def test_agents_are_listed_by_several_statuses_page_by_page(self, store: Store) -> None:
        kinds = [Status.PARKED, Status.DONE, Status.WAITING, Status.PARKED, Status.DONE, Status.RUNNING]
        for name, status in zip("abcdef", kinds, strict=True):
            await store.create(a_creation(name, status=status, workflow=REFUND if name in "de" else ORDER))

        async def listed(*statuses: Status, **wanted: Any) -> list[str]:
            return [head.id for head in (await store.list_in(statuses, **wanted)).heads]

        both = (Status.DONE, Status.PARKED)
        assert await listed(*both) == await listed(*both, *both) == ["a", "b", "d", "e"]
        assert await listed(*both, workflow="order") == ["a", "b"]
        assert await listed(*both, after="b") == ["d", "e"]
        assert await listed(Status.RUNNING) == ["f"]
        assert await listed() == await listed(*Status) == ["a", "b", "c", "d", "e", "f"]
        page = await store.list_in(both, limit=3)
        assert ([head.id for head in page.heads], page.next) == (["a", "b", "d"], "d")
        assert (await store.list_in(both, limit=3, after="d")).next is None
        if type(store).list_in is Store.list_in:
            warnings.warn(f"{type(store).__name__} looks through all agents for `list_in`", stacklevel=2)

    @in_loop
    async def test_the_definitions_that_are_kept_are_named_in_order(self, store: Store) -> None:
        await store.create(a_creation("a"))
        await store.create(a_creation("b", workflow=REFUND))
        kept = sorted([ORDER.hash, REFUND.hash])
        assert [*await store.definitions()] == kept
        assert [*await store.definitions(limit=1)] == kept[:1]
        assert [*await store.definitions(after=kept[0])] == kept[1:]
        if type(store).definitions is Store.definitions:
            warnings.warn(f"{type(store).__name__} looks through all agents for `definitions`", stacklevel=2)

    @in_loop
    async def test_a_store_that_nobody_has_damaged_has_nothing_to_complain_of(self, store: Store) -> None:
        await store.create(a_creation("a")._replace(key="start", fingerprint="f"))
        await store.commit(a_commit(2, head={"id": "a"}, snapshot=Snapshot(2, {})))
        await store.enqueue("a", 2, Event("ping", {}, key="k"), "k")
        await store.append("room", [Message.user("hello", by="ana")])
        await store.save_user(UserRecord("ana", 1, {}, 1))
        assert [*await store.inspect()] == []
        assert ((await store.list()).damaged, (await store.list_in(tuple(Status))).damaged) == ((), ())
        if type(store).inspect is Store.inspect:
            warnings.warn(f"{type(store).__name__} has no `inspect`: `doctor` does not look beneath it", stacklevel=2)

    @in_loop
    async def test_a_listed_head_is_the_head(self, store: Store) -> None:
        await store.create(a_creation(visits={"open": 1}))
        assert (await store.list()).heads == (await store.head(ID),)

    @in_loop
    async def test_history_is_read_from_any_version_on_as_far_as_is_asked_for(self, store: Store) -> None:
        await store.create(a_creation())
        for version in range(2, 7):
            await store.commit(a_commit(version))

        async def versions(**wanted: int) -> list[int]:
            return [step.version for step in await store.history(ID, **wanted)]

        assert await versions() == [1, 2, 3, 4, 5, 6]
        assert await versions(after=4) == [5, 6]
        assert await versions(after=1, limit=2) == [2, 3]
        assert await versions(after=6) == []

    @in_loop
    async def test_history_is_whole_where_a_snapshot_covers_it(self, store: Store) -> None:
        delta = Delta({"n": 1}, append={"log": ["x"]})
        await store.create(a_creation(delta=Delta({"log": []})))
        await store.commit(a_commit(2, delta=delta, snapshot=Snapshot(2, {"n": 1, "log": []}, {"log": 1})))
        assert (await store.history(ID))[1].delta == delta

    @in_loop
    async def test_time_is_the_clocks_and_never_goes_back(self, store: Store, clock: FakeClock) -> None:
        began = await store.now()
        assert began == clock.ms
        assert clock.advance(seconds=1) == await store.now()
        clock.ms = began - 5_000
        assert await store.now() == began + 1_000

    @in_loop
    async def test_time_is_not_before_anything_that_the_store_has_seen(self, store: Store, clock: FakeClock) -> None:
        later = clock.ms + 60_000
        await store.create(a_creation())
        await store.commit(a_commit(2, head={"updated_ms": later}))
        assert await store.now() == later

    @in_loop
    async def test_changing_what_was_written_changes_nothing_kept(self, store: Store) -> None:
        items, visits, payload = [1], {"open": 1}, {"deep": {"list": [1]}}
        await store.create(a_creation(delta=Delta({"items": items}), visits=visits, output=items))
        commit = a_commit(2, delta=Delta(append={"items": items}), head={"visits": visits})
        step = commit.step._replace(payload=payload)
        await store.commit(commit._replace(step=step, snapshot=Snapshot(2, {"items": items})))
        await store.enqueue(ID, 2, Event("ping", payload))
        before = await all_of(store)
        items.append(2)
        visits["open"] = 9
        payload["deep"]["list"].append(2)
        assert await all_of(store) == before

    @in_loop
    async def test_changing_what_was_read_changes_nothing_kept(self, store: Store) -> None:
        await store.create(a_creation(delta=Delta({"items": [1]}), visits={"open": 1}, output=[1]))
        commit = a_commit(2, delta=Delta({"items": [2]}), head={"visits": {"open": 1}})
        await store.commit(commit._replace(snapshot=Snapshot(2, {"items": [2]})))
        await store.enqueue(ID, 2, Event("ping", {"list": [1]}))
        before = await all_of(store)
        record, history = await all_of(store)
        for spoilt in (record.head.visits, record.snapshot and record.snapshot.values, record.queue[0].event.payload):
            assert isinstance(spoilt, dict)
            spoilt["x"] = 1
        _spoil(history[0])
        assert await all_of(store) == before

    @in_loop
    async def test_closing_twice_does_no_harm(self, store: Store) -> None:
        await store.close()
        await store.close()


def _spoil(step: Step) -> None:
    assert isinstance(step.delta.set, dict)
    step.delta.set["items"].append(9)
