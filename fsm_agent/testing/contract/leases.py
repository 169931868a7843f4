"""One driver at a time: leases, the epoch that fences stale holders, and who is due."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.problem import Problem
from fsm_agent.errors import Conflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, LEASE, PING, Bench, a_commit, a_creation, all_of, in_loop

THERE = Lease(Holder("there", 9, 1), LEASE.until_ms)


class LeasesContract(Bench):
    @in_loop
    async def test_a_claim_takes_the_lease_and_raises_the_epoch(self, store: Store) -> None:
        seen = await store.create(a_creation())
        assert await store.claim(ID, seen, LEASE) == 2
        head = await store.head(ID)
        assert (head.epoch, head.lease, head.version) == (2, LEASE, 1)

    @in_loop
    async def test_a_claim_on_anything_but_what_was_seen_is_refused(self, store: Store) -> None:
        seen = await store.create(a_creation())
        await store.claim(ID, seen, LEASE)
        present = await store.head(ID)
        before = await all_of(store)
        stale = (
            seen,
            present._replace(epoch=1),
            present._replace(version=2),
            present._replace(lease=None),
            present._replace(lease=Lease(LEASE.holder, LEASE.until_ms - 1)),
        )
        for each in stale:
            with pytest.raises(Conflict):
                await store.claim(ID, each, THERE)
        assert await all_of(store) == before
        assert await store.claim(ID, present, THERE) == 3

    @in_loop
    async def test_of_many_claims_exactly_one_succeeds(self, store: Store) -> None:
        seen = await store.create(a_creation())
        leases = [Lease(Holder("here", pid, 1), LEASE.until_ms) for pid in range(8)]
        outcomes = await asyncio.gather(*(store.claim(ID, seen, each) for each in leases), return_exceptions=True)
        winners = [lease for lease, outcome in zip(leases, outcomes, strict=True) if outcome == 2]
        assert [(await store.head(ID)).lease] == winners

    @in_loop
    async def test_a_lease_is_renewed_only_under_its_epoch(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        longer = Lease(LEASE.holder, LEASE.until_ms + 15_000)
        assert await store.renew(ID, 1, longer)
        assert (await store.head(ID)).lease == longer
        assert not await store.renew(ID, 0, LEASE)
        assert not await store.renew(ID, 2, LEASE)
        assert (await store.head(ID)).lease == longer

    @in_loop
    async def test_a_lease_that_was_given_up_cannot_be_renewed(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.release(ID, 1)
        assert not await store.renew(ID, 1, LEASE)
        assert (await store.head(ID)).lease is None

    @in_loop
    async def test_only_the_holder_releases(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.release(ID, 0)
        assert (await store.head(ID)).lease == LEASE
        await store.release(ID, 1)
        head = await store.head(ID)
        assert (head.lease, head.epoch, head.version) == (None, 1, 1)

    @in_loop
    async def test_an_attempt_is_noted_without_a_version(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE, status=Status.RUNNING, activation=1, visits={"open": 1}))
        await store.record_attempt(ID, 1, attempts=2, retry_ms=NEW_YEAR_MS + 500, children=1)
        head = await store.head(ID)
        assert (head.attempts, head.retry_ms, head.version, head.lease) == (2, NEW_YEAR_MS + 500, 1, LEASE)
        assert (head.activation, head.visits) == (1, {"open": 1})
        assert len(await store.history(ID)) == 1

    @in_loop
    async def test_why_the_last_attempt_failed_is_noted_until_it_is_forgiven(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE, status=Status.RUNNING, activation=1))
        if not store.keeps_problems:
            why = "keeps no reason why an action is tried again: `record_attempt` takes no `problem`"
            warnings.warn(f"{type(store).__name__} {why}", stacklevel=1)
            return
        first, second = Problem("OSError", "no route", place="a.py:1"), Problem("KeyError", "'x'")
        await store.record_attempt(ID, 1, attempts=1, retry_ms=NEW_YEAR_MS + 500, problem=first)
        assert (await store.head(ID)).problem == (await store.load(ID)).head.problem == first
        assert [head.problem for head in (await store.list()).heads] == [first]
        await store.record_attempt(ID, 1, attempts=1, retry_ms=None)
        assert (await store.head(ID)).problem == first
        await store.record_attempt(ID, 1, attempts=2, retry_ms=None, problem=second)
        assert ((await store.head(ID)).problem, (await store.head(ID)).version) == (second, 1)
        await store.record_attempt(ID, 1, attempts=0, retry_ms=None)
        assert (await store.head(ID)).problem is None

    @in_loop
    async def test_why_an_agent_failed_stays_whatever_is_noted_of_attempts(self, store: Store) -> None:
        problem = Problem("OSError", "no route")
        await store.create(a_creation(status=Status.FAILED, problem=problem, children=1))
        await store.record_attempt(ID, 1, attempts=0, retry_ms=None, children=0)
        assert (await store.head(ID)).problem == problem

    @in_loop
    async def test_an_attempt_under_a_stale_epoch_is_refused(self, store: Store) -> None:
        seen = await store.create(a_creation(lease=LEASE))
        await store.claim(ID, seen, THERE)
        before = await all_of(store)
        with pytest.raises(Conflict):
            await store.record_attempt(ID, 1, attempts=1, retry_ms=None)
        assert await all_of(store) == before

    @in_loop
    async def test_a_backoff_moves_the_time_at_which_its_agent_is_due(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING))
        await store.record_attempt(ID, 1, attempts=1, retry_ms=NEW_YEAR_MS + 500)
        assert await store.due(NEW_YEAR_MS + 499, 9) == []
        assert await store.due(NEW_YEAR_MS + 500, 9) == [ID]

    @in_loop
    async def test_queued_events_are_due_when_nothing_holds_them_up(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING))
        await store.enqueue(ID, 1, PING)
        await store.record_attempt(ID, 1, attempts=1, retry_ms=NEW_YEAR_MS + 500)
        assert await store.due(NEW_YEAR_MS + 499, 9) == []
        whether_due = {Status.WAITING: [ID], Status.PARKED: [], Status.DONE: [ID]}
        for version, (status, due) in enumerate(whether_due.items(), start=2):
            await store.commit(a_commit(version, head={"status": status}))
            assert await store.due(NEW_YEAR_MS, 9) == due
        await store.commit(a_commit(5, head={"status": Status.DONE}, dequeue=1))
        assert await store.due(NEW_YEAR_MS, 9) == []

    @in_loop
    async def test_who_needs_nobody_is_not_due(self, store: Store) -> None:
        timers = (ArmedTimer("open", "1ms", NEW_YEAR_MS + 1),)
        await store.create(a_creation("waits"))
        await store.create(a_creation("is-parked", status=Status.PARKED, timers=timers))
        await store.create(a_creation("has-ended", status=Status.DONE))
        await store.create(a_creation("is-held", status=Status.RUNNING, lease=LEASE))
        assert await store.due(NEW_YEAR_MS + 1, 9) == []

    @in_loop
    async def test_the_longest_due_come_first_as_many_as_are_asked_for(self, store: Store) -> None:
        for name, due_ms in (("b", 20), ("c", 10), ("a", 30), ("d", 40)):
            await store.create(a_creation(name, timers=(ArmedTimer("open", "1ms", NEW_YEAR_MS + due_ms),)))
        assert await store.due(NEW_YEAR_MS + 30, 9) == ["c", "b", "a"]
        assert await store.due(NEW_YEAR_MS + 30, 2) == ["c", "b"]
        assert await store.due(NEW_YEAR_MS + 9, 9) == []

    @in_loop
    async def test_an_agent_is_due_again_when_its_lease_has_run_out_or_is_released(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        assert await store.due(LEASE.until_ms - 1, 9) == []
        assert await store.due(LEASE.until_ms, 9) == [ID]
        await store.release(ID, 1)
        assert await store.due(NEW_YEAR_MS, 9) == [ID]

    @in_loop
    async def test_a_step_arms_and_clears_what_makes_its_agent_due(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING))
        assert await store.due(NEW_YEAR_MS, 9) == [ID]
        await store.commit(a_commit(2, head={"timers": (ArmedTimer("open", "5ms", NEW_YEAR_MS + 5),)}))
        assert await store.due(NEW_YEAR_MS, 9) == []
        assert await store.due(NEW_YEAR_MS + 5, 9) == [ID]
        await store.commit(a_commit(3))
        assert await store.due(NEW_YEAR_MS + 5, 9) == []

    @in_loop
    async def test_leases_are_found_by_the_host_of_their_holder(self, store: Store) -> None:
        await store.create(a_creation("mine", lease=LEASE))
        await store.create(a_creation("theirs", lease=THERE))
        await store.create(a_creation("free"))
        assert [head.id for head in await store.held_here("here")] == ["mine"]
        await store.release("mine", 1)
        assert await store.held_here("here") == []

    @in_loop
    async def test_leases_that_ran_out_are_found_wherever_their_holder_was_and_whatever_is_to_do(
        self, store: Store
    ) -> None:
        if type(store).lapsed is Store.lapsed:
            warnings.warn(f"{type(store).__name__} looks through all agents for `lapsed`", stacklevel=2)
        later = Lease(THERE.holder, THERE.until_ms + 1)
        await store.create(a_creation("mine", lease=LEASE, status=Status.RUNNING))
        await store.create(a_creation("theirs", lease=THERE))
        await store.create(a_creation("ended", lease=THERE, status=Status.DONE))
        await store.create(a_creation("renewed", lease=later))
        await store.create(a_creation("free", status=Status.RUNNING))
        assert await store.lapsed(LEASE.until_ms - 1, 9) == []
        found = await store.lapsed(LEASE.until_ms, 9)
        assert sorted(head.id for head in found) == ["ended", "mine", "theirs"]
        assert all([head == await store.head(head.id) for head in found])
        assert len(await store.lapsed(LEASE.until_ms, 2)) == 2
        await store.renew("theirs", 1, later)
        await store.release("ended", 1)
        assert [head.id for head in await store.lapsed(LEASE.until_ms, 9)] == ["mine"]
