"""Timers: when they are armed and cleared, which one fires next, and whether it ends the work of its agent. Pure.

Entering a state arms the timers that it declares, and leaving it clears them. A timer fires once: when it has had its
turn it is gone, also if its guards have refused it.
"""

from __future__ import annotations

from fsm_agent.domain.agent import ArmedTimer
from fsm_agent.domain.decision import Move, Taken
from fsm_agent.domain.step import Event
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.errors import ExpressionFailed


def rearmed(aggregate: Aggregate, move: Move, fired: ArmedTimer | None) -> tuple[ArmedTimer, ...]:
    """Leaving clears, entering arms. A timer of an ancestor that moves its child is not left, but had its turn."""
    kept = [timer for timer in aggregate.head.timers if timer.state not in move.exited and timer is not fired]
    for path in move.entered:
        kept += aggregate.program.timers_of(path, aggregate.now_ms)
    return tuple(kept)


def due_timer(aggregate: Aggregate, *, leaving_only: bool = False) -> ArmedTimer | None:
    """The timer that fires next; with ``leaving_only``, only one that would take the agent out of its work."""
    if not aggregate.head.timers:
        return None
    due = [timer for timer in aggregate.head.timers if timer.due_ms <= aggregate.now_ms]
    if leaving_only:
        due = [timer for timer in due if leaves(aggregate, timer)]
    return min(due, key=aggregate.program.turn, default=None)


def ends_at(aggregate: Aggregate) -> int | None:
    """When a timer will take the agent out of its work."""
    return min((timer.due_ms for timer in aggregate.head.timers if leaves(aggregate, timer)), default=None)


def leaves(aggregate: Aggregate, timer: ArmedTimer) -> bool:
    """Whether a timer would move the agent; nothing that this depends on changes while an action runs."""
    try:
        decision = aggregate.program.decide_timer(aggregate.head.state, timer, aggregate.context(timer_event(timer)))
    except ExpressionFailed:
        return True
    return isinstance(decision, Taken) and not decision.move.is_internal


def timer_event(timer: ArmedTimer) -> Event:
    return Event("after", {"after": timer.label})
