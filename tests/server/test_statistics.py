"""Counts that are kept for a while: each is made once for all who ask, and not too many are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fsm_agent.domain.selection import Tally
from fsm_agent.server.statistics import Statistics
from fsm_agent.stores.memory.store import MemoryStore
from tests.support.runtime import on_loop


class SlowStore(MemoryStore):
    """A store that counts its agents when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = 0
        self.go = asyncio.Event()

    async def tally(self) -> Sequence[Tally]:
        self.counts += 1
        await self.go.wait()
        return await super().tally()


@on_loop
async def test_a_count_that_takes_longer_than_it_is_kept_is_not_begun_again_beside_itself() -> None:
    store, now_s = SlowStore(), [0.0]
    statistics = Statistics(store, {}, clock=lambda: now_s[0])
    asking = [asyncio.create_task(statistics.tally())]
    await asyncio.sleep(0)
    now_s[0] = 100.0
    asking.append(asyncio.create_task(statistics.tally()))
    await asyncio.sleep(0)
    store.go.set()
    assert await asyncio.gather(*asking) == [[], []]
    assert store.counts == 1
    await statistics.tally()
    assert store.counts == 2


@on_loop
async def test_however_many_people_have_an_inbox_only_some_of_their_counts_are_kept() -> None:
    statistics = Statistics(MemoryStore(), {})
    for number in range(1_500):
        assert await statistics.open_questions(f"person {number}") == 0
    assert statistics.kept == 1_000
