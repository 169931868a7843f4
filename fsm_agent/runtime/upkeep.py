"""What workers do for a store besides driving agents, a little at a time."""

from __future__ import annotations

import math
from collections.abc import Collection
from time import monotonic
from typing import Final

from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.domain.retention import Retention
from fsm_agent.runtime.maintenance.purge import RetentionSweeper
from fsm_agent.runtime.orphans import give_up_lapsed, is_orphaned, release
from fsm_agent.runtime.processes import this_host
from fsm_agent.stores.base import Store

#: how many leases are released at once
_PAGE: Final = 100
#: How long orphans are not looked for again, since all agents that are held on this host are read for it.
_ORPHANS_AGAIN_S: Final = 4.0


class Upkeep:
    """Releases leases whose holders have died, moves agents between tiers, applies the retention."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._sweeper = RetentionSweeper(store, retention)
        #: by the clock of the process, when orphans are looked for again
        self._orphans_s = -math.inf
        #: store's time of the next search for leases that have run out
        self._lapsed_ms = 0

    async def turn(self, driven: Collection[str]) -> bool:
        """Do a little of everything; returns whether agents were released, so that somebody may take them.

        Those that are ``driven`` here keep their leases, even late ones: who drives them renews them, or is told that
        they are lost.
        """
        await self._store.tend()
        released = 0
        if (now_s := monotonic()) >= self._orphans_s:
            self._orphans_s = now_s + _ORPHANS_AGAIN_S
            released = await self.release_orphans(but=driven)
        await self._give_up_some(driven)
        await self._sweeper.turn()
        return released > 0

    async def release_orphans(self, *, but: Collection[str] = ()) -> int:
        """Release what processes of this host held that have died; returns how many agents those were."""
        now_ms = await self._store.now()
        held = await self._store.held_here(this_host())
        orphans = [head for head in held if head.id not in but and is_orphaned(head.lease, now_ms)]
        for head in orphans:
            await release(self._store, head)
        return len(orphans)

    async def give_up_lapsed(self) -> None:
        """Release all leases that have run out, on any host, whether there is something to do or not."""
        given_up: set[str] = set()
        while left := await give_up_lapsed(self._store, _PAGE, but=given_up):
            given_up.update(left)

    async def _give_up_some(self, driven: Collection[str]) -> None:
        now_ms = await self._store.now()
        if now_ms >= self._lapsed_ms:
            given_up = await give_up_lapsed(self._store, _PAGE, but=driven)
            self._lapsed_ms = now_ms + (LEASE_MS if len(given_up) < _PAGE else 0)
