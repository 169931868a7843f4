"""Workers that share a store: each takes other agents, the longest due first, and is woken when there are some."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any, Final

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.domain.record import AgentExport
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, LEASE, PING, REFUND, Bench, a_commit, a_creation, a_head, in_loop

#: how long a ring may take before it counts as lost
_PATIENCE_S: Final = 30
_TAKERS: Final = 8
_THERE: Final = Lease(Holder("there", 9, 1), LEASE.until_ms)


class TakesContract(Bench):
    @in_loop
    async def test_who_is_due_at_once_is_due_since_its_last_step(self, store: Store) -> None:
        for name, since_ms in (("b", 20), ("c", 10), ("a", 30)):
            await store.create(a_creation(name, status=Status.RUNNING, updated_ms=NEW_YEAR_MS + since_ms))
        timers = (ArmedTimer("open", "1ms", NEW_YEAR_MS + 15),)
        await store.create(a_creation("timer", timers=timers, updated_ms=NEW_YEAR_MS + 1))
        assert await store.due(NEW_YEAR_MS + 40, 9) == ["c", "timer", "b", "a"]
        assert await store.due(NEW_YEAR_MS + 40, 2) == ["c", "timer"]

    @in_loop
    async def test_a_lease_that_ran_out_counts_from_then_and_one_that_was_given_up_does_not_count(
        self, store: Store
    ) -> None:
        until = Lease(LEASE.holder, NEW_YEAR_MS + 25)
        for name, since_ms, lease in (("lapsed", 5, until), ("released", 15, until), ("before", 10, None)):
            running = a_creation(name, status=Status.RUNNING, updated_ms=NEW_YEAR_MS + since_ms, lease=lease)
            await store.create(running)
        await store.create(a_creation("after", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 20))
        assert await store.due(NEW_YEAR_MS + 24, 9) == ["before", "after"]
        assert await store.due(NEW_YEAR_MS + 25, 9) == ["before", "after", "lapsed", "released"]
        await store.release("released", 1)
        assert await store.due(NEW_YEAR_MS + 25, 9) == ["before", "released", "after", "lapsed"]

    @in_loop
    async def test_steps_and_queued_events_begin_the_wait_anew(self, store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        await store.create(a_creation("other", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 10))
        running = {"status": Status.RUNNING, "updated_ms": NEW_YEAR_MS + 20}
        await store.commit(a_commit(2, head=running, lease=LEASE))
        await store.commit(a_commit(3, head=running))
        assert await store.due(NEW_YEAR_MS + 20, 9) == ["other", ID]
        await store.commit(a_commit(4, head={"updated_ms": NEW_YEAR_MS + 5}))
        await store.enqueue(ID, 4, PING)
        assert await store.due(NEW_YEAR_MS + 20, 9) == [ID, "other"]

    @in_loop
    async def test_a_take_claims_the_longest_due_as_many_as_are_asked_for(self, store: Store, clock: FakeClock) -> None:
        self._warn_of_default(store, "take")
        for number, name in enumerate(("d", "b", "a", "c")):
            await store.create(a_creation(name, status=Status.RUNNING, updated_ms=NEW_YEAR_MS + number))
        await store.create(a_creation("waits"))
        await store.create(a_creation("held", status=Status.RUNNING, lease=LEASE))
        clock.ms = NEW_YEAR_MS + 10
        assert sorted(await store.take(3, _THERE)) == [Claimed("a", 2), Claimed("b", 2), Claimed("d", 2)]
        heads = {name: await store.head(name) for name in ("d", "b", "a", "c", "waits", "held")}
        assert [(head.epoch, head.lease) for head in heads.values()] == [
            *[(2, _THERE)] * 3,
            *[(1, None)] * 2,
            (1, LEASE),
        ]
        assert list(await store.take(3, _THERE)) == [Claimed("c", 2)]
        assert list(await store.take(3, _THERE)) == []
        assert await store.due(NEW_YEAR_MS + 10, 9) == []

    @in_loop
    async def test_what_is_not_due_yet_is_not_taken(self, store: Store, clock: FakeClock) -> None:
        await store.create(a_creation(timers=(ArmedTimer("open", "1ms", NEW_YEAR_MS + 50),)))
        clock.ms = NEW_YEAR_MS + 49
        assert list(await store.take(9, _THERE)) == []
        clock.ms = NEW_YEAR_MS + 50
        assert list(await store.take(9, _THERE)) == [Claimed(ID, 2)]

    @in_loop
    async def test_a_lease_that_ran_out_is_taken_once(self, store: Store, clock: FakeClock) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        clock.ms = LEASE.until_ms - 1
        assert list(await store.take(9, _THERE)) == []
        clock.ms = LEASE.until_ms
        longer = Lease(_THERE.holder, LEASE.until_ms + 15_000)
        both = await asyncio.gather(store.take(9, longer), store.take(9, longer))
        assert sorted(map(list, both)) == [[], [Claimed(ID, 2)]]
        assert not await store.renew(ID, 1, longer)

    @in_loop
    async def test_takers_at_the_same_time_get_different_agents(
        self, store: Store, open_again: Callable[..., Store], clock: FakeClock
    ) -> None:
        agents = [f"agent-{number:02}" for number in range(40)]
        for agent_id in agents:
            await store.create(a_creation(agent_id, status=Status.RUNNING))
        stores = [store, *([open_again() for _ in range(_TAKERS - 1)] if self.is_shared(store) else [])]
        clock.ms = NEW_YEAR_MS + 10
        taken: list[str] = []
        while found := await asyncio.gather(*(stores[n % len(stores)].take(3, _THERE) for n in range(_TAKERS))):
            if not any(found):
                break
            taken += [agent_id for claims in found for agent_id, _ in claims]
        assert sorted(taken) == agents
        assert {(await store.head(agent_id)).epoch for agent_id in agents} == {2}

    @in_loop
    async def test_a_taker_may_choose_workflows_and_leave_out_states(self, store: Store, clock: FakeClock) -> None:
        for number in range(12):
            await store.create(a_creation(f"old-{number:02}", status=Status.RUNNING, updated_ms=NEW_YEAR_MS))
        refund = a_creation("refund", workflow=REFUND, status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 5)
        elsewhere = a_creation("elsewhere", status=Status.RUNNING, state="closed", updated_ms=NEW_YEAR_MS + 5)
        await store.create(refund)
        await store.create(elsewhere)
        clock.ms = NEW_YEAR_MS + 10
        assert list(await store.take(2, _THERE, workflows=["refund", "unknown"])) == [Claimed("refund", 2)]
        assert list(await store.take(2, _THERE, workflows=["unknown"])) == []
        assert list(await store.take(2, _THERE, workflows=[])) == []
        old = elsewhere.head.definition
        assert list(await store.take(2, _THERE, without=[(old, "open"), ("unknown", "closed")])) == [
            Claimed("elsewhere", 2)
        ]
        assert len(await store.take(20, _THERE, workflows=["order"], without=[(old, "closed")])) == 12

    @in_loop
    async def test_what_stands_in_for_an_agent_that_is_kept_elsewhere_is_not_taken(
        self, store: Store, clock: FakeClock
    ) -> None:
        head = a_head("elsewhere", -7, timers=(ArmedTimer("open", "1ms", NEW_YEAR_MS + 1),), epoch=4)
        await store.adopt(AgentExport(head, steps=()))
        await store.create(a_creation("here", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 5))
        clock.ms = NEW_YEAR_MS + 10
        assert await store.due(clock.ms, 9) == ["elsewhere", "here"]
        assert list(await store.take(1, _THERE)) == [Claimed("here", 2)]
        assert list(await store.take(9, _THERE)) == []
        stands = await store.head("elsewhere")
        assert (abs(stands.version), stands.epoch, stands.lease) == (7, 4, None)

    @in_loop
    async def test_many_leases_are_renewed_at_once_and_stale_ones_are_not(self, store: Store) -> None:
        self._warn_of_default(store, "renew_all")
        for name in ("mine", "taken-over", "released", "mine-too"):
            await store.create(a_creation(name, status=Status.RUNNING, lease=LEASE))
        await store.claim("taken-over", await store.head("taken-over"), _THERE)
        await store.release("released", 1)
        longer = Lease(LEASE.holder, LEASE.until_ms + 15_000)
        held = [Claimed(name, 1) for name in ("mine", "taken-over", "released", "unknown", "mine-too")]
        assert sorted(await store.renew_all(held, longer)) == ["mine", "mine-too"]
        leases = [(await store.head(name)).lease for name in ("mine", "mine-too", "taken-over", "released")]
        assert leases == [longer, longer, _THERE, None]
        assert list(await store.renew_all([], longer)) == []

    @in_loop
    async def test_a_ring_is_heard_by_all_who_listen_in_its_namespace(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        if type(store).listen is Store.listen:
            warnings.warn(f"{type(store).__name__} has no bell: its workers only look from time to time", stacklevel=2)
            return
        ears = [asyncio.Event() for _ in range(3)]
        places = [store, *([open_again(), open_again("other")] if self.is_shared(store) else [])]
        listening = [asyncio.create_task(place.listen(ear.set)) for place, ear in zip(places, ears, strict=False)]
        try:
            async with asyncio.timeout(_PATIENCE_S):
                for ear in ears[: len(places)]:
                    await ear.wait()
                    ear.clear()
                for _ in range(3):
                    await places[min(1, len(places) - 1)].ring()
                for ear in ears[: min(2, len(places))]:
                    await ear.wait()
            assert not ears[2].is_set()
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)

    @staticmethod
    def is_shared(store: Store) -> bool:
        """Whether a store that is opened again has the same agents."""
        return not store.url.startswith("memory:")

    @staticmethod
    def _warn_of_default(store: Any, verb: str) -> None:
        if getattr(type(store), verb) is getattr(Store, verb):
            warnings.warn(f"{type(store).__name__} claims or renews one by one: it has no `{verb}`", stacklevel=3)
