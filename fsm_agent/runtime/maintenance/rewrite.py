"""Rewriting one agent: it is read completely, and replaced in one compare-and-set under a lease.

Earlier holders cannot write afterwards. An event from outside may still be written on what was read before, as long as
the version is the same: a change that must not be undone by it adds a step.
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
    """Store what ``change`` makes of an agent, if anything. Returns why the agent is not available now, if so. Raises
    ``Conflict`` and ``AgentNotFound`` if ``head`` is out of date."""
    now_ms = await store.now()
    if head.lease is not None and not is_orphaned(head.lease, now_ms):
        return f"it is driven by {head.lease.holder} now; try again"
    epoch = await store.claim(head.id, head, Lease(this_process(), now_ms + LEASE_MS))
    try:
        export = await store.dump(head.id)
        changed = await change(export._replace(head=export.head._replace(lease=None)))
        if changed is None:
            return None
        if any(entry.is_open for entry in changed.effects):  # its result may still be recorded
            return "an effect of it is open; try again when that has ended or is settled"
        await store.adopt(changed, replaces=export.head)
    finally:
        await store.release(head.id, epoch)
    return None
