"""One agent written afresh: it is read whole and takes its own place, in one compare-and-set and under a lease.

Nobody writes meanwhile, and whoever was overtaken before cannot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import LEASE_MS, Lease
from fsm_agent.domain.record import AgentExport
from fsm_agent.runtime.orphans import is_orphaned
from fsm_agent.runtime.processes import this_process
from fsm_agent.stores.base import Store


async def rewrite(
    store: Store, head: Head, change: Callable[[AgentExport], Awaitable[AgentExport | None]]
) -> str | None:
    """Keep what ``change`` makes of an agent, if it makes anything; returns why not, if it cannot be had now. Raises
    ``Conflict`` and ``AgentNotFound`` if it is not as ``head`` shows it any more."""
    now_ms = await store.now()
    if head.lease is not None and not is_orphaned(head.lease, now_ms):
        return f"it is driven by {head.lease.holder} now; try again"
    epoch = await store.claim(head.id, head, Lease(this_process(), now_ms + LEASE_MS))
    try:
        export = await store.dump(head.id)
        changed = await change(export._replace(head=export.head._replace(lease=None)))
        if changed is None:
            return None
        if any(entry.is_open for entry in changed.effects):  # whoever began it may still record its result
            return "an effect of it is open; try again when that has ended or is settled"
        await store.adopt(changed, replaces=export.head)
    finally:
        await store.release(head.id, epoch)
    return None
