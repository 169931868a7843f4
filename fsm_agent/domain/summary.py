"""An agent in a list: what is known of it without reading its data, and what it asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from fsm_agent.domain.agent import Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Retrying
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Question
from fsm_agent.domain.record import Damage
from fsm_agent.domain.step import NOTHING


class AgentSummary(NamedTuple):
    """What a list shows of an agent."""

    id: str
    workflow: str
    workflow_version: int
    state: str
    status: Status
    version: int
    question: Question | None
    created_at: datetime
    updated_at: datetime
    #: whom it serves
    user: str | None = None
    progress: Progress | None = None
    #: why it failed or is parked
    error: Mapping[str, Json] | None = None
    #: the next attempt of an action that has failed and is tried again
    retry: Retrying | None = None
    labels: Mapping[str, str] = NOTHING

    def to_json(self) -> dict[str, Json]:
        """The agent as the command line lists it (a contract)."""
        return {
            "id": self.id,
            "workflow": self.workflow,
            "workflow_version": self.workflow_version,
            "state": self.state,
            "status": str(self.status),
            "version": self.version,
            "question": self.question.to_json() if self.question else None,
            "created_at": self.created_at.isoformat(timespec="milliseconds"),
            "updated_at": self.updated_at.isoformat(timespec="milliseconds"),
            "user": self.user,
            "progress": self.progress.to_json() if self.progress else None,
            "error": self.error,
            "retry": self.retry.to_json() if self.retry else None,
            "labels": dict(self.labels),
        }


class AgentPage(NamedTuple):
    """Some agents, and the id to go on after, if there are more."""

    agents: tuple[AgentSummary, ...]
    next: str | None
    #: agents that would stand among these, and of which something cannot be read
    damaged: tuple[Damage, ...] = ()

    def to_json(self) -> dict[str, Json]:
        agents: list[Json] = [agent.to_json() for agent in self.agents]
        return {"agents": agents, "next": self.next, "damaged": [damage.to_json() for damage in self.damaged]}
