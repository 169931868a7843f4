"""Effects begin under the epoch that holds, are recorded once, and are settled with a step."""

from __future__ import annotations

import asyncio

import pytest

from fsm_agent.domain.effect import EffectMode, Settlement
from fsm_agent.errors import AgentNotFound, Conflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, LEASE, Bench, a_commit, a_creation, all_of, an_effect, in_loop


class EffectsContract(Bench):
    @in_loop
    async def test_an_effect_that_begins_is_kept_open(self, store: Store) -> None:
        await store.create(a_creation())
        before = await all_of(store)
        assert await store.begin_effect(ID, an_effect()) is None
        assert list(await store.effects(ID)) == [an_effect()]
        assert await all_of(store) == before, "an effect is no step"

    @in_loop
    async def test_every_mode_and_every_result_comes_back(self, store: Store) -> None:
        await store.create(a_creation())
        results = (None, False, 0, "", "nul \0, half a pair \ud83d", [1.5, {"a": None}], 2**63 - 1)
        entries = [
            an_effect(use=use, mode=mode, ended_ms=NEW_YEAR_MS + 2**40, result=result)
            for use, (mode, result) in enumerate(((mode, each) for mode in EffectMode for each in results), start=1)
        ]
        for entry in entries:
            await store.begin_effect(ID, entry._replace(ended_ms=None, result=None))
            assert await store.end_effect(ID, entry)
        assert list(await store.effects(ID)) == entries

    @in_loop
    async def test_what_is_kept_under_a_key_is_told_and_stays(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect())
        other = an_effect(fingerprint="other", mode=EffectMode.CHECK)
        assert await store.begin_effect(ID, other) == an_effect()
        assert list(await store.effects(ID)) == [an_effect()]
        recorded = an_effect(ended_ms=NEW_YEAR_MS + 1, result=7)
        await store.end_effect(ID, recorded)
        assert await store.begin_effect(ID, other, again=True) == recorded, "a recorded result is never replaced"
        assert list(await store.effects(ID)) == [recorded]

    @in_loop
    async def test_an_open_effect_may_begin_again(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect())
        later = an_effect(begun_ms=NEW_YEAR_MS + 9)
        assert await store.begin_effect(ID, later, again=True) == an_effect()
        assert list(await store.effects(ID)) == [later]

    @in_loop
    async def test_no_effect_begins_under_a_stale_epoch(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.claim(ID, await store.head(ID), LEASE)
        for again in (False, True):
            with pytest.raises(Conflict):
                await store.begin_effect(ID, an_effect(epoch=1), again=again)
        assert list(await store.effects(ID)) == []
        await store.begin_effect(ID, an_effect(epoch=2))
        with pytest.raises(Conflict):
            await store.begin_effect(ID, an_effect(epoch=1), again=True)
        assert list(await store.effects(ID)) == [an_effect(epoch=2)]

    @in_loop
    async def test_a_result_is_recorded_once_and_by_who_began(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.begin_effect(ID, an_effect())
        await store.claim(ID, await store.head(ID), LEASE)
        recorded = an_effect(ended_ms=NEW_YEAR_MS + 1, result="r")
        assert not await store.end_effect(ID, recorded._replace(epoch=2))
        assert await store.end_effect(ID, recorded), "what was begun in time may be told late"
        assert not await store.end_effect(ID, recorded._replace(result="other"))
        assert not await store.end_effect(ID, an_effect("unknown", ended_ms=1))
        assert list(await store.effects(ID)) == [recorded]

    @in_loop
    async def test_who_was_overtaken_records_no_result(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.begin_effect(ID, an_effect())
        await store.claim(ID, await store.head(ID), LEASE)
        await store.begin_effect(ID, an_effect(epoch=2), again=True)
        assert not await store.end_effect(ID, an_effect(ended_ms=NEW_YEAR_MS + 1, result="r"))
        assert list(await store.effects(ID)) == [an_effect(epoch=2)]

    @in_loop
    async def test_of_many_that_begin_one_effect_exactly_one_is_the_first(self, store: Store) -> None:
        await store.create(a_creation())
        told = await asyncio.gather(*(store.begin_effect(ID, an_effect()) for _ in range(20)))
        assert [each for each in told if each is None] == [None]
        assert [each for each in told if each is not None] == [an_effect()] * 19

    @in_loop
    async def test_effects_come_in_order_and_from_an_activation_on(self, store: Store) -> None:
        await store.create(a_creation())
        entries = [an_effect(name, use, activation=at) for at in (1, 2, 10) for name in "ab" for use in (1, 2, 10)]
        for entry in reversed(entries):
            await store.begin_effect(ID, entry)
        assert list(await store.effects(ID)) == entries
        assert list(await store.effects(ID, activation=2)) == entries[6:]
        assert list(await store.effects(ID, activation=11)) == []

    @in_loop
    async def test_a_settlement_comes_with_its_step(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect(use=1))
        await store.begin_effect(ID, an_effect(use=2))
        done, undone = (Settlement(an_effect(use=use).key, was_done=use == 1, result={"id": 7}) for use in (1, 2))
        await store.commit(a_commit(2, settlement=done))
        await store.commit(a_commit(3, settlement=undone))
        assert list(await store.effects(ID)) == [an_effect(ended_ms=NEW_YEAR_MS + 2, result={"id": 7})]
        assert await store.begin_effect(ID, an_effect(use=2)) is None, "what was not done begins afresh"

    @in_loop
    async def test_a_settlement_of_what_is_not_open_refuses_the_step(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect())
        await store.end_effect(ID, an_effect(ended_ms=NEW_YEAR_MS + 1))
        before = await all_of(store), list(await store.effects(ID))
        for key in (an_effect().key, "unknown"):
            for was_done in (True, False):
                with pytest.raises(Conflict):
                    await store.commit(a_commit(2, key="k", settlement=Settlement(key, was_done=was_done)))
        assert (await all_of(store), list(await store.effects(ID))) == before
        assert (await store.load(ID, key="k")).outcome is None

    @in_loop
    async def test_a_refused_step_settles_nothing(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect())
        with pytest.raises(Conflict):
            await store.commit(a_commit(7, settlement=Settlement(an_effect().key, was_done=True)))
        assert list(await store.effects(ID)) == [an_effect()]

    @in_loop
    async def test_agents_have_effects_of_their_own(self, store: Store) -> None:
        await store.create(a_creation("a"))
        await store.create(a_creation("b"))
        assert await store.begin_effect("a", an_effect()) is None
        assert await store.begin_effect("b", an_effect()) is None
        await store.end_effect("a", an_effect(ended_ms=NEW_YEAR_MS + 1))
        assert list(await store.effects("b")) == [an_effect()]

    @in_loop
    async def test_effects_of_an_unknown_agent_are_refused(self, store: Store) -> None:
        for verb in (store.begin_effect(ID, an_effect()), store.end_effect(ID, an_effect()), store.effects(ID)):
            with pytest.raises(AgentNotFound):
                await verb
