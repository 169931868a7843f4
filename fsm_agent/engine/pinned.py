"""Whether a head fits the definition that its agent is pinned to: a row that was changed may well be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_agent.domain.agent import Head
from fsm_agent.domain.text import shortened
from fsm_agent.errors import AgentDamaged

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow


def require_fit(workflow: Workflow, head: Head) -> None:
    """Raises ``AgentDamaged`` where a head says what cannot be under its definition."""
    require_version(head)
    if (what := _misfit(workflow, head)) is not None:
        raise AgentDamaged(head.id, "head", what)


def require_version(head: Head) -> None:
    """Raises ``AgentDamaged`` where a head has a version that no agent has."""
    if head.version < 1:
        what = (
            f"its version is {head.version}, and versions begin at 1; only the warm store of a tiered one has such "
            "heads, of agents that are archived"
        )
        raise AgentDamaged(head.id, "head", what)


def _misfit(workflow: Workflow, head: Head) -> str | None:
    state = workflow.by_path.get(head.state)
    if state is None or not state.is_leaf:
        return f"its state is {shortened(head.state)}, in which no agent of its definition can be"
    for timer in head.timers:
        if timer.state not in workflow.by_path:
            return f"it has a timer of state {shortened(timer.state)}, which its definition does not have"
    for event in head.asked.events if head.asked else ():
        if not workflow.has_payload(event):
            return f"event {shortened(event)} answers its question, and its definition does not have it"
    return None
