"""Whether an agent of a play may go round for ever: it comes back to where it was, and nothing would end that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.property import Reaches, Rule
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.proof.histories import owes

if TYPE_CHECKING:
    from fsm_agent.runtime.scripted.moves import Move
    from fsm_agent.runtime.scripted.play import Play

#: whatever happens twice alike is taken to happen for ever
_ROUNDS = 2


def is_endless(life: Play, moves: Sequence[Move], rule: Rule) -> bool:
    """Whether the moves lead back to where the agent is, and can do so for ever while ``rule`` wants something."""
    if not isinstance(rule, Reaches):
        return False
    before = _head(life)
    for _ in range(_ROUNDS):
        life.then(*moves)
        after = _head(life)
        if (after.state, after.status) != (before.state, before.status) or not owes(life.workflow, rule, life.past):
            return False
    entered = _entered(life, since=before.version)
    return not _is_limited(life.workflow, entered) and not _is_ended(before, after, entered)


def _head(life: Play) -> Head:
    return finish(life.runner.store.head(life.agent_id))


def _entered(life: Play, *, since: int) -> frozenset[str]:
    """The states that the agent has entered after a version."""
    steps = [step for step in life.history if step.version > since and step.entered]
    return frozenset(path for step in steps for path in lineage(step.target)[-step.entered :])


def _is_ended(before: Head, after: Head, entered: Collection[str]) -> bool:
    """Whether a timer that runs throughout, or an action that works throughout, ends the round sooner or later."""
    runs_on = [timer for timer in before.timers if timer in after.timers and timer.state not in entered]
    return bool(runs_on) or (before.status is Status.RUNNING and not entered)


def _is_limited(workflow: Workflow, entered: Collection[str]) -> bool:
    limits = workflow.limits
    if limits.steps is not None or limits.wall_time is not None or not limits.visits.keys().isdisjoint(entered):
        return True
    uses_models = any((workflow.by_path[path].do or "").startswith("llm.") for path in entered)
    return uses_models and (limits.tokens is not None or limits.cost is not None)
