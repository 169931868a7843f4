"""Driving: an agent goes on until it waits, ends, is parked, or somebody else takes it over.

One turn decides one thing, in this order: queued events, due timers, the work of the state. What is decided is
committed before anything else begins, so a crash between any two effects loses nothing that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import ENDED, ArmedTimer, Head, Parent, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import listed, standing
from fsm_agent.engine.activation import LeftToOthers, work
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import (
    CancelChildren,
    Command,
    NotifyParent,
    ReadHead,
    ReadHistory,
    RecordAttempt,
    Release,
    Superseded,
)
from fsm_agent.engine.fast_path import take_fast_path
from fsm_agent.engine.problem_reports import problem_of
from fsm_agent.engine.retries import is_backing_off
from fsm_agent.engine.steps import cancel, park, refuse, take
from fsm_agent.engine.timers import due_timer, ends_at, timer_event
from fsm_agent.engine.transaction import Driver, Flow, write
from fsm_agent.errors import (
    Conflict,
    DataInvalid,
    ExpressionFailed,
    LimitExceeded,
    NotAddressee,
    PayloadInvalid,
    Refused,
)

#: When a parent is told again that was at work when its child ended.
_NOTIFY_AGAIN_MS: Final = 2_000


def drive(driver: Driver, aggregate: Aggregate) -> Generator[Command, Any, bool]:
    """Go on as far as it goes, and release the lease. False if somebody else took the agent over; then ``aggregate`` is
    stale."""
    is_ours: bool = yield from advance(driver, aggregate)
    if is_ours:
        yield from release(aggregate)
    return is_ours


def advance(driver: Driver, aggregate: Aggregate) -> Generator[Command, Any, bool]:
    """Go on as far as it goes. False if somebody else took the agent over; then ``aggregate`` is stale. If the agent is
    left to others, ``aggregate.missing`` says why."""
    try:
        if aggregate.head.parent is not None:
            yield from _leave_if_orphaned(driver, aggregate, aggregate.head.parent)
        while (turn := _next_turn(driver, aggregate)) is not None:
            yield from turn
            yield from take_fast_path(driver, aggregate)
    except LeftToOthers as missing:
        aggregate.missing = str(missing)
    except (Superseded, Conflict):
        return False
    return True


def release(aggregate: Aggregate) -> Flow:
    """Release the lease, if one is held."""
    if aggregate.lease is not None:
        yield Release(aggregate.head.id, aggregate.head.epoch)
        aggregate.lease = None


def _next_turn(driver: Driver, aggregate: Aggregate) -> Flow | None:
    if aggregate.head.children:
        return None if aggregate.is_idle else _settle_family(aggregate)
    return _next_decision(driver, aggregate)


def _next_decision(driver: Driver, aggregate: Aggregate) -> Flow | None:
    status = aggregate.head.status
    if is_stranded(aggregate) or (status is not Status.PARKED and _is_queue_free(aggregate)):
        return decide_queued(driver, aggregate)
    if status is Status.PARKED or status in ENDED:
        return None
    timer = due_timer(aggregate)
    if timer is not None:
        return write(driver, aggregate, fire(aggregate, timer))
    if status is not Status.RUNNING or aggregate.is_idle or (is_backing_off(aggregate) and not driver.stays):
        return None
    return work(driver, aggregate, ends_at=ends_at(aggregate) if aggregate.head.timers else None)


def _leave_if_orphaned(driver: Driver, aggregate: Aggregate, parent: Parent) -> Flow:
    """A child whose parent has left the state that started it is cancelled, if nobody has done that yet."""
    if aggregate.head.status in ENDED:
        return
    above: Head | None = yield ReadHead(parent.id)
    if above is not None and above.activation == parent.activation:
        return
    steps: Sequence[Step] = yield ReadHistory(aggregate.head.id)
    pending = _decided_step(aggregate, event := Event("cancel", by=parent.id))
    is_known = any((step.event, step.by) == (event.name, event.by) for step in steps)
    if not is_known and pending.step.kind is not StepKind.REFUSED:  # its workflow has the last word
        yield from write(driver, aggregate, pending, from_outside=True)


def _settle_family(aggregate: Aggregate) -> Flow:
    """Cancel the children of a state that was left, notify the parent of a child that has ended, and record that both
    are done. A parent that is at work now is notified again later, since it may not have seen the end."""
    head, is_told = aggregate.head, True
    yield CancelChildren(head.id, head.children)
    if head.parent is not None and head.status in ENDED:
        is_told = yield NotifyParent(head.parent)
    children, retry_ms = (0, head.retry_ms) if is_told else (head.children, aggregate.now_ms + _NOTIFY_AGAIN_MS)
    yield RecordAttempt(head.id, head.epoch, head.attempts, retry_ms, children)
    aggregate.head = head.tried(head.attempts, retry_ms, children)
    aggregate.is_idle = not is_told


def fire(aggregate: Aggregate, timer: ArmedTimer) -> PendingStep:
    """The step of a due timer. If its guards refuse it, the refusal is recorded, and the timer does not fire again."""
    event = timer_event(timer)
    try:
        match aggregate.program.decide_timer(aggregate.head.state, timer, aggregate.context(event)):
            case Taken(move):
                return take(aggregate, event, move, fired=timer)
            case GuardsRefuse(guards):
                return refuse(
                    aggregate, event, f"the guards of timer {timer.label} refused: {listed(guards)}", fired=timer
                )
            case NotAllowed():
                return refuse(aggregate, event, f"timer {timer.label} has no transition", fired=timer)
    except Refused as error:
        return park(aggregate, event, problem_of(error))


def is_stranded(aggregate: Aggregate) -> bool:
    """Whether an event is queued that arrived before the agent was rewound: the work that it was meant for is
    undone."""
    return bool(aggregate.queue) and aggregate.queue[0].version < aggregate.head.rewound


def _is_queue_free(aggregate: Aggregate) -> bool:
    """Whether an event is queued that no action holds up: the one that it waited for has named its event."""
    if not aggregate.queue:
        return False
    head = aggregate.head
    return head.status is not Status.RUNNING or head.is_paused or aggregate.queue[0].version < head.activation


def decide_queued(driver: Driver, aggregate: Aggregate, *, from_outside: bool = False) -> Flow:
    """The step of the oldest queued event. If it parks the agent, the event stays queued."""
    queued = aggregate.queue[0]
    pending = _queued_step(aggregate, queued.event)
    dequeue = None if pending.step.kind is StepKind.PARKED else queued.number
    yield from write(driver, aggregate, pending, from_outside=from_outside, dequeue=dequeue)


def _queued_step(aggregate: Aggregate, event: Event) -> PendingStep:
    head, program = aggregate.head, aggregate.program
    if is_stranded(aggregate):
        return refuse(aggregate, event, "the agent was rewound after it had arrived")
    if head.status in ENDED:
        return refuse(aggregate, event, f"the agent {standing(head.status)}")
    if event.name in program.claimed(head):  # it came while another action worked, which does not name it
        why = program.why_claimed(head.state, where=f" in state {head.state!r}")
        return refuse(aggregate, event, f"it came from outside, and {why}")
    return _decided_step(aggregate, event)


def _decided_step(aggregate: Aggregate, event: Event) -> PendingStep:
    """The step that an event makes whose sender can no longer be told of a refusal."""
    try:
        if aggregate.program.knows(event.name):  # it may have been queued under an older definition
            event = event._replace(payload=aggregate.program.payload_rules.complete(event.name, event.payload))
        match aggregate.program.decide(aggregate.head.state, addressed(aggregate, event), aggregate.context(event)):
            case Taken(move):
                return take(aggregate, event, move)
            case GuardsRefuse(guards):
                reason = f"guards refused: {listed(guards)}"
            case NotAllowed() if event.name == "cancel":
                return cancel(aggregate, event)
            case NotAllowed():
                reason = f"not allowed in state {aggregate.head.state!r}"
    except (DataInvalid, NotAddressee, PayloadInvalid) as error:
        reason = str(error)
    except (ExpressionFailed, LimitExceeded) as error:
        return park(aggregate, event, problem_of(error))
    return refuse(aggregate, event, reason)


def addressed(aggregate: Aggregate, event: Event) -> Event:
    """``event``, unless it answers a question that is for somebody else; then ``NotAddressee`` is raised."""
    asked = aggregate.head.asked
    if asked and asked.to and event.name in aggregate.program.answers(aggregate.head) and event.by not in asked.to:
        raise NotAddressee(event.by, asked.to)
    return event
