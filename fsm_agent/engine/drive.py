"""Driving: an agent goes on until it waits, ends, is parked, or somebody else takes it over.

One turn decides one thing, in this order: queued events, due timers, the work of the state. What is decided is
committed before anything else begins, so a crash between any two effects loses nothing that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from fsm_agent.agent import ENDED, ArmedTimer, Problem, Status
from fsm_agent.data import Data
from fsm_agent.engine.effects import (
    Act,
    Acted,
    Doubtful,
    Effect,
    Emitted,
    Failed,
    Missing,
    Overdue,
    RecordAttempt,
    Release,
    Sleep,
    Superseded,
)
from fsm_agent.engine.live import Live, Proposal, cancel, park, refuse, take
from fsm_agent.engine.session import Desk, Flow, write
from fsm_agent.errors import (
    Conflict,
    DataInvalid,
    ExpressionFailed,
    IllegalEvent,
    LimitExceeded,
    NotAddressee,
    PayloadInvalid,
    Refused,
)
from fsm_agent.machine import GuardsRefuse, NotAllowed, Taken
from fsm_agent.state import Retry
from fsm_agent.step import Event, StepKind
from fsm_agent.wording import listed

_LONGEST_MESSAGE: Final = 2_000


def drive(desk: Desk, live: Live) -> Generator[Effect, Any, bool]:
    """Go on as far as it goes. False if somebody else took the agent over; then ``live`` is stale."""
    try:
        while (turn := _next_turn(desk, live)) is not None:
            yield from turn
        if live.lease is not None:
            yield Release(live.head.id, live.head.epoch)
            live.lease = None
    except (Superseded, Conflict):
        return False
    return True


def _next_turn(desk: Desk, live: Live) -> Flow | None:
    status = live.head.status
    if is_stranded(live) or (status is not Status.PARKED and _is_queue_free(live)):
        return decide_queued(desk, live)
    if status is Status.PARKED or status in ENDED:
        return None
    timer = due_timer(live)
    if timer is not None:
        return write(desk, live, fire(live, timer))
    if status is not Status.RUNNING or (_is_backing_off(live) and not desk.stays):
        return None
    return _work(desk, live)


def _is_backing_off(live: Live) -> bool:
    return live.head.retry_ms is not None and live.head.retry_ms > live.now_ms


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
    return live.head.status is not Status.RUNNING or live.queue[0].version < live.head.activation


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
        return refuse(live, event, f"the agent is {live.head.status}")
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
    ask, asked = live.program.state(live.head.state).ask, live.head.asked
    if ask and asked and asked.to and event.name in ask.events and event.by not in asked.to:
        raise NotAddressee(event.by, asked.to)
    return event


def _work(desk: Desk, live: Live) -> Flow:
    """One attempt of the state's action, or the wait before it."""
    head, leaf = live.head, live.program.state(live.head.state)
    until_ms = _ends_at(live) if head.timers else None
    if head.retry_ms is not None and _is_backing_off(live):
        live.now_ms = yield Sleep(head, head.retry_ms if until_ms is None else min(head.retry_ms, until_ms))
        return
    data = live.draft()
    try:
        arguments = live.program.entry_values(leaf.with_, live.scene()) if leaf.with_ else {}
    except (ExpressionFailed, DataInvalid) as error:
        yield from write(desk, live, park(live, Event("error"), problem_of(error)))
        return
    assert leaf.do is not None  # noqa: S101 - a running agent is in a state with an action
    timeout_ms = leaf.timeout.ms if leaf.timeout else None
    reply: Acted = yield Act(head, leaf.do, arguments, data, live.now_ms, head.attempts + 1, timeout_ms, until_ms)
    live.now_ms = max(live.now_ms, reply.now_ms)
    match reply:
        case Emitted():
            yield from write(desk, live, _emitted(live, reply, data))
        case Failed():
            yield from _failed(desk, live, reply)
        case Missing():
            yield from write(desk, live, park(live, Event("error"), Problem("ActionMissing", reply.message)))
        case Doubtful():
            yield from write(desk, live, park(live, Event("error"), reply.problem))
        case Overdue():
            return


def _emitted(live: Live, reply: Emitted, data: Data) -> Proposal:
    """The step of the event that an action named; what it may not name is an ``error``."""
    event = Event(str(reply.event))
    try:
        event = _named_event(live, reply)
        match live.program.decide(live.head.state, event, live.scene(event, data)):
            case Taken(move):
                return take(live, event, move, data=data, duration_ms=reply.duration_ms)
            case GuardsRefuse(guards):
                why = f", because no guard held: {listed(guards)}"
            case NotAllowed():
                why = ""
        raise IllegalEvent(event.name, live.head.state, _emittable(live), why=why)
    except (ExpressionFailed, LimitExceeded) as error:
        return park(live, event, problem_of(error))
    except Refused as error:
        return _report(live, problem_of(error), duration_ms=reply.duration_ms)


def _named_event(live: Live, reply: Emitted) -> Event:
    program, state = live.program, live.head.state
    if not program.knows(reply.event) or (reply.emits is not None and reply.event not in reply.emits):
        emits = _emittable(live) if reply.emits is None else sorted(reply.emits)
        raise IllegalEvent(reply.event, state, emits, why=f" as what action {program.state(state).do!r} returns")
    if not isinstance(reply.payload, dict):
        raise PayloadInvalid(reply.event, [f"it is {type(reply.payload).__name__}, and must be a dict"])
    return Event(reply.event, program.payload_rules.complete(reply.event, reply.payload))


def _emittable(live: Live) -> list[str]:
    """What an action may name that does not say what it emits. ``cancel`` comes from outside alone."""
    program = live.program
    return [event for event in program.workflow.allowed(live.head.state) if program.knows(event)]


def _failed(desk: Desk, live: Live, reply: Failed) -> Flow:
    """Another attempt, if one is declared and left; else the event ``error`` or ``timeout``."""
    head, retry = live.head, live.program.state(live.head.state).retry
    failures = head.attempts + 1
    if retry and failures < retry.attempts and _is_covered(retry, reply):
        retry_ms = live.now_ms + retry.delay_ms(failures)
        yield RecordAttempt(head.id, head.epoch, failures, retry_ms)
        live.head = head._replace(attempts=failures, retry_ms=retry_ms)
        return
    problem = Problem(reply.types[0], reply.message)
    event = "timeout" if reply.is_timeout else "error"
    yield from write(desk, live, _report(live, problem, event=event, duration_ms=reply.duration_ms))


def _is_covered(retry: Retry, failure: Failed) -> bool:
    """Whether a retry is declared for this failure: by the class of the exception, or one of its bases."""
    return failure.is_retryable and (not retry.on or not set(retry.on).isdisjoint(failure.types))


def _report(live: Live, problem: Problem, *, event: str = "error", duration_ms: int) -> Proposal:
    """The step of ``error`` or ``timeout``, routed like any event; what nothing handles parks the agent."""
    happened = Event(
        event,
        {
            "type": problem.type,
            "message": problem.message[:_LONGEST_MESSAGE],
            "attempt": live.head.attempts + 1,
            "state": live.head.state,
        },
    )
    try:
        decision = live.program.decide(live.head.state, happened, live.scene(happened))
        if isinstance(decision, Taken):
            return take(live, happened, decision.move, duration_ms=duration_ms)
    except Refused as error:
        return park(live, happened, problem_of(error))
    return park(live, happened, problem)


def problem_of(error: Refused) -> Problem:
    return Problem(type(error).__name__, str(error)[:_LONGEST_MESSAGE])
