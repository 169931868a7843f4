"""Leases that were left behind: they have run out, or their holder has died. Whoever finds one gives it up.

To give one up is fenced by its epoch: whoever takes the agent over meanwhile keeps it.
"""

from __future__ import annotations

from fsm_agent.agent import Head
from fsm_agent.lease import Lease, lease_runs
from fsm_agent.processes import is_alive
from fsm_agent.stores.base import Store


def is_orphaned(lease: Lease | None, now_ms: int) -> bool:
    """Whether a lease was left behind; without one there is nothing to give up."""
    return lease is not None and (not lease_runs(lease, now_ms) or is_alive(lease.holder) is False)


async def without_orphan(store: Store, head: Head, now_ms: int, *, is_dry: bool = False) -> Head:
    """``head`` without a lease that was left behind, which is given up; with ``is_dry`` nothing is changed."""
    if not is_orphaned(head.lease, now_ms):
        return head
    if not is_dry:
        await store.release(head.id, head.epoch)
    return head._replace(lease=None)
