"""Driving: an agent goes on until it waits, ends, is parked, or somebody else takes it over.

One turn decides one thing, in this order: queued events, due timers, the work of the state. What is decided is
committed before anything else begins, so a crash between any two effects loses nothing that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import ENDED, ArmedTimer, Head, Parent, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.step import Event, Step, StepKind
from fsm_agent.domain.text import listed, standing
from fsm_agent.engine.activation import is_backing_off, work
from fsm_agent.engine.aggregate import Live, Proposal, cancel, park, refuse, take
from fsm_agent.engine.commands import Disband, Effect, ReadHead, ReadHistory, RecordAttempt, Release, Superseded, Tell
from fsm_agent.engine.problems import problem_of
from fsm_agent.engine.steady import work_steadily
from fsm_agent.engine.transaction import Desk, Flow, write
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
_TELL_AGAIN_MS: Final = 2_000


def drive(desk: Desk, live: Live) -> Generator[Effect, Any, bool]:
    """Go on as far as it goes. False if somebody else took the agent over; then ``live`` is stale."""
    try:
        if live.head.parent is not None:
            yield from _leave_if_orphaned(desk, live, live.head.parent)
        while (turn := _next_turn(desk, live)) is not None:
            yield from turn
            yield from work_steadily(desk, live)
        if live.lease is not None:
            yield Release(live.head.id, live.head.epoch)
            live.lease = None
    except (Superseded, Conflict):
        return False
    return True


def _next_turn(desk: Desk, live: Live) -> Flow | None:
    if live.head.children:
        return None if live.is_idle else _settled_with_kin(live)
    return _next_decision(desk, live)


def _next_decision(desk: Desk, live: Live) -> Flow | None:
    status = live.head.status
    if is_stranded(live) or (status is not Status.PARKED and _is_queue_free(live)):
        return decide_queued(desk, live)
    if status is Status.PARKED or status in ENDED:
        return None
    timer = due_timer(live)
    if timer is not None:
        return write(desk, live, fire(live, timer))
    if status is not Status.RUNNING or live.is_idle or (is_backing_off(live) and not desk.stays):
        return None
    return work(desk, live, ends_at=_ends_at(live) if live.head.timers else None)


def _leave_if_orphaned(desk: Desk, live: Live, parent: Parent) -> Flow:
    """A child whose parent has left the state that started it is cancelled, if nobody has done that yet."""
    if live.head.status in ENDED:
        return
    above: Head | None = yield ReadHead(parent.id)
    if above is not None and above.activation == parent.activation:
        return
    steps: Sequence[Step] = yield ReadHistory(live.head.id)
    proposal = _decided_step(live, event := Event("cancel", by=parent.id))
    is_known = any((step.event, step.by) == (event.name, event.by) for step in steps)
    if not is_known and proposal.step.kind is not StepKind.REFUSED:  # its workflow has the last word
        yield from write(desk, live, proposal, from_outside=True)


def _settled_with_kin(live: Live) -> Flow:
    """Cancel the children of a state that was left, and let a parent know that its child has ended; note that it is
    done. A parent who is at work now is told later, since nobody knows what it has seen."""
    head, is_told = live.head, True
    yield Disband(head.id, head.children)
    if head.parent is not None and head.status in ENDED:
        is_told = yield Tell(head.parent)
    children, retry_ms = (0, head.retry_ms) if is_told else (head.children, live.now_ms + _TELL_AGAIN_MS)
    yield RecordAttempt(head.id, head.epoch, head.attempts, retry_ms, children)
    live.head = head.tried(head.attempts, retry_ms, children)
    live.is_idle = not is_told


def due_timer(live: Live, *, leaving_only: bool = False) -> ArmedTimer | None:
    """The timer whose turn it is; with ``leaving_only``, one that would take the agent out of its work."""
    if not live.head.timers:
        return None
    due = [timer for timer in live.head.timers if timer.due_ms <= live.now_ms]
    if leaving_only:
        due = [timer for timer in due if leaves(live, timer)]
    return min(due, key=live.program.turn, default=None)


def _ends_at(live: Live) -> int | None:
    """When a timer will take the agent out of its work."""
    return min((timer.due_ms for timer in live.head.timers if leaves(live, timer)), default=None)


def leaves(live: Live, timer: ArmedTimer) -> bool:
    """Whether a timer would move the agent; nothing that this depends on changes while an action runs."""
    try:
        decision = live.program.decide_timer(live.head.state, timer, live.scene(_timer_event(timer)))
    except ExpressionFailed:
        return True
    return isinstance(decision, Taken) and not decision.move.is_internal


def _timer_event(timer: ArmedTimer) -> Event:
    return Event("after", {"after": timer.label})


def fire(live: Live, timer: ArmedTimer) -> Proposal:
    """The step of a due timer. Its guards may refuse it; then it has had its turn, on record."""
    event = _timer_event(timer)
    try:
        match live.program.decide_timer(live.head.state, timer, live.scene(event)):
            case Taken(move):
                return take(live, event, move, fired=timer)
            case GuardsRefuse(guards):
                return refuse(live, event, f"the guards of timer {timer.label} refused: {listed(guards)}", fired=timer)
            case NotAllowed():
                return refuse(live, event, f"timer {timer.label} has no transition", fired=timer)
    except Refused as error:
        return park(live, event, problem_of(error))


def is_stranded(live: Live) -> bool:
    """Whether an event is queued that arrived before the agent was rewound: what it was meant for is undone."""
    return bool(live.queue) and live.queue[0].version < live.head.rewound


def _is_queue_free(live: Live) -> bool:
    """Whether an event is queued that no action holds up: the one that it waited for has named its event."""
    if not live.queue:
        return False
    head = live.head
    return head.status is not Status.RUNNING or head.is_paused or live.queue[0].version < head.activation


def decide_queued(desk: Desk, live: Live, *, from_outside: bool = False) -> Flow:
    """The step of the event that has waited longest. If it parks the agent, it goes on waiting."""
    queued = live.queue[0]
    proposal = _queued_step(live, queued.event)
    dequeue = None if proposal.step.kind is StepKind.PARKED else queued.number
    yield from write(desk, live, proposal, from_outside=from_outside, dequeue=dequeue)


def _queued_step(live: Live, event: Event) -> Proposal:
    if is_stranded(live):
        return refuse(live, event, "the agent was rewound after it had arrived")
    if live.head.status in ENDED:
        return refuse(live, event, f"the agent {standing(live.head.status)}")
    if event.name in live.program.claimed(live.head):  # it came while another action worked, which does not name it
        state = live.head.state
        why = live.program.why_claimed(state, where=f" in state {state!r}")
        return refuse(live, event, f"it came from outside, and {why}")
    return _decided_step(live, event)


def _decided_step(live: Live, event: Event) -> Proposal:
    """The step that an event makes which nobody can be told of any more if it is refused."""
    try:
        if live.program.knows(event.name):  # it may have been queued under an older definition
            event = event._replace(payload=live.program.payload_rules.complete(event.name, event.payload))
        match live.program.decide(live.head.state, addressed(live, event), live.scene(event)):
            case Taken(move):
                return take(live, event, move)
            case GuardsRefuse(guards):
                reason = f"guards refused: {listed(guards)}"
            case NotAllowed() if event.name == "cancel":
                return cancel(live, event)
            case NotAllowed():
                reason = f"not allowed in state {live.head.state!r}"
    except (DataInvalid, NotAddressee, PayloadInvalid) as error:
        reason = str(error)
    except (ExpressionFailed, LimitExceeded) as error:
        return park(live, event, problem_of(error))
    return refuse(live, event, reason)


def addressed(live: Live, event: Event) -> Event:
    """``event``, unless it answers a question that is for somebody else; then ``NotAddressee`` is raised."""
    asked = live.head.asked
    if asked and asked.to and event.name in live.program.answers(live.head) and event.by not in asked.to:
        raise NotAddressee(event.by, asked.to)
    return event
