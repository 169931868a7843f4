"""What went wrong, as an event that is routed like any other, or as the reason why an agent is parked. Pure."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.decision import Taken
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.step import Event
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Failed
from fsm_agent.engine.steps import park, take
from fsm_agent.errors import Refused

_LONGEST_MESSAGE: Final = 2_000


def problem_of(error: Refused) -> Problem:
    return Problem(type(error).__name__, str(error)[:_LONGEST_MESSAGE])


def problem_of_attempt(failed: Failed) -> Problem:
    return Problem(failed.types[0], failed.message[:_LONGEST_MESSAGE], place=failed.place)


def report(aggregate: Aggregate, problem: Problem, *, event: str = "error", duration_ms: int) -> PendingStep:
    """The step of ``error`` or ``timeout``; what nothing handles parks the agent."""
    facts = {
        "type": problem.type,
        "message": problem.message[:_LONGEST_MESSAGE],
        "attempt": aggregate.head.attempts + 1,
        "state": aggregate.head.state,
    }
    happened = Event(event, {**facts, "place": problem.place} if problem.place else facts)
    try:
        decision = aggregate.program.decide(aggregate.head.state, happened, aggregate.context(happened))
        if isinstance(decision, Taken):
            return take(aggregate, happened, decision.move, duration_ms=duration_ms)
    except Refused as error:
        return park(aggregate, happened, problem_of(error))
    return park(aggregate, happened, problem)
