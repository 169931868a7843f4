"""What a step that moved an agent to another definition made of it, told from the step and both definitions. Pure."""

from __future__ import annotations

from fsm_agent.domain.agent import Head
from fsm_agent.domain.step import Step
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.migration.transfer import Transfer, places_of
from fsm_agent.engine.program import Program


def migrated(program: Program, aggregate: Aggregate, step: Step) -> Head:
    """The head after ``step``, which pinned the agent to ``program``; ``aggregate`` has the head before it, and the
    data as they are after it."""
    facts = step.payload
    transfer = Transfer(
        program=program,
        old=aggregate.program.workflow,
        before=aggregate.head,
        leaf=program.state(step.target),
        values=aggregate.folded.values,
        now_ms=step.at_ms,
        places=places_of(aggregate.head.state, step.target) | facts.get("states", {}),
        visits=facts.get("visits", aggregate.head.visits),
        reason=step.reason,
    )
    return transfer.head._replace(definition=facts["to"])
