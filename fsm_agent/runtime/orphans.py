"""Orphaned leases: they have run out, or their holder has died. Any process that finds one releases it.

The release is fenced by the epoch, so a process that takes the agent over meanwhile keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Lease, lease_runs
from fsm_agent.errors import AgentNotFound
from fsm_agent.runtime.processes import is_alive
from fsm_agent.stores.base import Store


def is_orphaned(lease: Lease | None, now_ms: int) -> bool:
    """Whether a lease is orphaned; ``None`` is no lease."""
    return lease is not None and (not lease_runs(lease, now_ms) or is_alive(lease.holder) is False)


async def give_up_lapsed(store: Store, limit: int, *, but: Collection[str] = ()) -> Sequence[str]:
    """Release about ``limit`` leases that have run out, on any host, whether or not their agents are due. Returns the
    ids of these agents. Agents in ``but`` are skipped."""
    found = await store.lapsed(await store.now(), limit + len(but))
    left = [head for head in found if head.id not in but]
    for head in left:
        await release(store, head)
    return [head.id for head in left]


async def release(store: Store, head: Head) -> None:
    """Release the lease of an agent that may have been deleted meanwhile."""
    with suppress(AgentNotFound):
        await store.release(head.id, head.epoch)


async def without_orphan(store: Store, head: Head, now_ms: int, *, is_dry: bool = False) -> Head:
    """``head`` without an orphaned lease, which is released; with ``is_dry`` nothing is changed."""
    if not is_orphaned(head.lease, now_ms):
        return head
    if not is_dry:
        await release(store, head)
    return head._replace(lease=None)
