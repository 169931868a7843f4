"""Leases that were left behind: they have run out, or their holder has died. Whoever finds one gives it up.

To give one up is fenced by its epoch: whoever takes the agent over meanwhile keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Lease, lease_runs
from fsm_agent.runtime.processes import is_alive
from fsm_agent.stores.base import Store


def is_orphaned(lease: Lease | None, now_ms: int) -> bool:
    """Whether a lease was left behind; without one there is nothing to give up."""
    return lease is not None and (not lease_runs(lease, now_ms) or is_alive(lease.holder) is False)


async def give_up_lapsed(store: Store, limit: int, *, but: Collection[str] = ()) -> Sequence[str]:
    """Give up about ``limit`` leases that have run out, wherever their holders were and whether or not there is
    something to do; returns whose they were. Those of agents in ``but`` are left."""
    found = await store.lapsed(await store.now(), limit + len(but))
    left = [head for head in found if head.id not in but]
    for head in left:
        await store.release(head.id, head.epoch)
    return [head.id for head in left]


async def without_orphan(store: Store, head: Head, now_ms: int, *, is_dry: bool = False) -> Head:
    """``head`` without a lease that was left behind, which is given up; with ``is_dry`` nothing is changed."""
    if not is_orphaned(head.lease, now_ms):
        return head
    if not is_dry:
        await store.release(head.id, head.epoch)
    return head._replace(lease=None)
