"""The sizes of agents, in bytes as the store keeps them: one by one, and by workflow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Damage, Size
from fsm_agent.errors import AgentDamaged, AgentNotFound
from fsm_agent.runtime.agent_reads import read_heads
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import damage_of

_NOTHING = Size(0, 0, 0, 0, 0)


class Weight(NamedTuple):
    """The total size of some agents."""

    name: str
    workflow: str
    agents: int
    size: Size

    def parts(self) -> dict[str, Json]:
        return {**self.size._asdict(), "total": self.size.total}


@dataclass(frozen=True, slots=True)
class Weighed:
    """Agents and workflows, the largest first."""

    agents: Sequence[Weight]
    workflows: Sequence[Weight]
    total: Weight
    #: agents that are left out
    damaged: Sequence[Damage] = ()

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints (a contract)."""
        return {
            "agents": [{"id": each.name, "workflow": each.workflow, **each.parts()} for each in self.agents],
            "workflows": [
                {"workflow": each.workflow, "agents": each.agents, **each.parts()} for each in self.workflows
            ],
            "total": {"agents": self.total.agents, **self.total.parts()},
            "damaged": [damage.to_json() for damage in self.damaged],
        }


async def weigh(
    store: Store, agent_ids: Iterable[str] = (), *, workflow: str | None = None, top: int | None = None
) -> Weighed:
    """The sizes of these agents, or of all; ``top`` is how many of them are listed singly. Raises ``AgentNotFound``."""
    agents: list[Weight] = []
    damaged: list[Damage] = []
    async for head in read_heads(store, agent_ids, workflow=workflow, left_out=damaged.append):
        try:
            agents.append(Weight(head.id, head.workflow, 1, await store.size(head.id)))
        except AgentNotFound:  # deleted since it was listed
            continue
        except AgentDamaged as error:
            if agent_ids:
                raise
            damaged.append(damage_of(error))
    by_workflow: dict[str, list[Weight]] = defaultdict(list)
    for agent in agents:
        by_workflow[agent.workflow].append(agent)
    workflows = [_together(name, each) for name, each in by_workflow.items()]
    return Weighed(_heaviest(agents)[:top], _heaviest(workflows), _together("", agents), damaged)


def _together(workflow: str, weights: Sequence[Weight]) -> Weight:
    parts = zip(_NOTHING, *(weight.size for weight in weights), strict=True)
    return Weight(workflow, workflow, len(weights), Size(*map(sum, parts)))


def _heaviest(weights: Iterable[Weight]) -> list[Weight]:
    return sorted(weights, key=lambda weight: (-weight.size.total, weight.name))
