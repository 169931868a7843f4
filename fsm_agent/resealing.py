"""Texts sealed afresh under the key that writes now, so that an old key can be given up.

An agent is read whole and takes its own place, in one compare-and-set and under a lease: nobody writes meanwhile, and
whoever was overtaken before cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from fsm_agent.agent import Head
from fsm_agent.errors import AgentNotFound, Conflict, StoreError
from fsm_agent.jsontypes import Json
from fsm_agent.lease import Lease
from fsm_agent.processes import this_process
from fsm_agent.reader import read_heads
from fsm_agent.stores.base import Store

_LEASE_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class Resealed:
    """Who is sealed under the key that writes now, and who not, and why."""

    agents: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """As the command line prints it (a contract)."""
        left = [{"id": agent_id, "why": why} for agent_id, why in self.left.items()]
        return {"resealed": list(self.agents), "left": left}


async def reseal(store: Store, agent_ids: Iterable[str] = ()) -> Resealed:
    """Write these agents, or all, afresh; raises ``AgentNotFound`` before the first. Who cannot be is left as it is."""
    resealed = Resealed()
    async for head in read_heads(store, agent_ids):
        try:
            why = await _reseal(store, head)
        except (Conflict, AgentNotFound):
            why = "it moved on meanwhile; try again"
        except StoreError as error:
            why = str(error)
        if why is None:
            resealed.agents.append(head.id)
        else:
            resealed.left[head.id] = why
    return resealed


async def _reseal(store: Store, head: Head) -> str | None:
    """Write one agent afresh; returns why not, if it cannot be."""
    if head.lease is not None:
        return f"it is driven by {head.lease.holder} now; try again"
    epoch = await store.claim(head.id, head, Lease(this_process(), await store.now() + _LEASE_MS))
    try:
        dossier = await store.dump(head.id)
        if any(entry.is_open for entry in dossier.effects):  # whoever began it may still record its result
            return "an effect of it is open; try again when that has ended or is settled"
        free = replace(dossier, head=dossier.head._replace(lease=None))
        await store.adopt(free, replaces=dossier.head)
    finally:
        await store.release(head.id, epoch)
    return None
