"""Texts sealed afresh under the key that writes now, so that an old key can be given up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fsm_agent.errors import AgentNotFound, Conflict, StoreError
from fsm_agent.jsontypes import Json
from fsm_agent.reader import read_heads
from fsm_agent.record import Dossier
from fsm_agent.rewriting import rewrite
from fsm_agent.stores.base import Store


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
            why = await rewrite(store, head, _as_it_is)
        except (Conflict, AgentNotFound):
            why = "it moved on meanwhile; try again"
        except StoreError as error:
            why = str(error)
        if why is None:
            resealed.agents.append(head.id)
        else:
            resealed.left[head.id] = why
    return resealed


async def _as_it_is(dossier: Dossier) -> Dossier:
    return dossier
