"""The work of a state: one attempt of its action, and the step that the attempt leads to.

Changes of the data, messages and changes of the user are committed with the step that the action's event makes, or not
at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_agent.data.data import Data, View
from fsm_agent.domain.decision import EvaluationContext, GuardsRefuse, Taken
from fsm_agent.domain.problem import MISSING_ACTION, Problem
from fsm_agent.domain.record import Record
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import listed
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.user import UserRecord
from fsm_agent.engine.action_questions import asked
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.attempt_steps import reconcile, with_outputs, with_usage
from fsm_agent.engine.commands import (
    Act,
    Acted,
    Asks,
    Command,
    Doubtful,
    Emitted,
    Failed,
    Load,
    LogRefusal,
    Missing,
    Overdue,
    Paused,
    ReadHistory,
    ReadUser,
    RecordAttempt,
    Sleep,
)
from fsm_agent.engine.outputs import AttemptOutputs
from fsm_agent.engine.problem_reports import problem_of, problem_of_attempt, report
from fsm_agent.engine.retries import is_backing_off, next_attempt_ms
from fsm_agent.engine.scope import ActionScope
from fsm_agent.engine.steps import park, take
from fsm_agent.engine.transaction import Driver, Flow, write
from fsm_agent.errors import (
    DataInvalid,
    ExpressionFailed,
    IllegalEvent,
    LimitExceeded,
    PayloadInvalid,
    Refused,
    UserConflict,
)

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program

#: How often a step is tried that others keep from committing by changing the same user.
_PATIENCE: Final = 200

#: what an action raises that expects other fields than the agent has
_MISFITS: Final = frozenset({"AttributeError", "KeyError", "ValidationError", "DataInvalid"})

#: with which an agent is parked whose action has named no event
_ERROR: Final = Event("error")


class LeftToOthers(Exception):
    """The action of the agent is missing here, and other processes may have it."""


def work(driver: Driver, aggregate: Aggregate, *, ends_at: int | None) -> Flow:
    """One attempt of the state's action, or the wait before it. ``ends_at`` is when a timer will take the agent out of
    its work."""
    head, leaf = aggregate.head, aggregate.program.state(aggregate.head.state)
    if head.retry_ms is not None and is_backing_off(aggregate) and not head.is_paused:
        aggregate.now_ms = yield Sleep(head, head.retry_ms if ends_at is None else min(head.retry_ms, ends_at))
        return
    data = aggregate.draft()
    try:
        outputs = yield from _new_outputs(aggregate)
        arguments = aggregate.program.arguments(leaf, aggregate.context())
    except (ExpressionFailed, DataInvalid) as error:
        yield from write(driver, aggregate, park(aggregate, Event("error"), problem_of(error)))
        return
    assert leaf.do is not None  # noqa: S101 - a running agent is in a state with an action
    bound = yield from _bound(aggregate, leaf)
    if bound is not None and bound.at_ms <= aggregate.now_ms:
        yield from _failed(driver, aggregate, bound.failure._replace(now_ms=aggregate.now_ms), outputs)
        return
    timeout_ms = leaf.timeout.ms if leaf.timeout and not aggregate.program.pauses(leaf.path) else None
    until_ms = min((at_ms for at_ms in (ends_at, bound and bound.at_ms) if at_ms is not None), default=None)
    attempt, scope = head.attempts + 1, ActionScope(aggregate, data, outputs, stays=driver.stays)
    reply: Acted = yield Act(
        head, leaf.do, arguments, data, aggregate.now_ms, attempt, timeout_ms, until_ms, outputs, scope
    )
    if isinstance(reply, Paused) and bound is not None:
        reply = reply._replace(until_ms=min(reply.until_ms, bound.at_ms))
    yield from concluded(driver, aggregate, reply, data, outputs)


def _new_outputs(aggregate: Aggregate) -> Generator[Command, Any, AttemptOutputs]:
    """Empty outputs, with the fields of the user if the workflow declares any; raises ``DataInvalid``."""
    counted = yield from _counted(aggregate)
    if not aggregate.program.workflow.user or aggregate.head.user is None:
        return AttemptOutputs(counted=counted)
    record: UserRecord = yield ReadUser(aggregate.head.user)
    return AttemptOutputs(
        counted=counted, record=record, user=Data(aggregate.program.user_rules.recalled(record.values))
    )


def _counted(aggregate: Aggregate) -> Generator[Command, Any, int]:
    """How many requests to models the steps since the state was entered have counted: those of attempts after which
    the agent was parked. The next attempt hears them again."""
    head = aggregate.head
    if head.version == head.activation or not head.usage.requests:
        return 0
    steps: Sequence[Step] = yield ReadHistory(head.id, after=head.activation)
    return sum(step.usage.requests for step in steps)


class _Bound(NamedTuple):
    """When the work of a state ends at the latest, and the failure that it has then."""

    at_ms: int
    failure: Failed


def _bound(aggregate: Aggregate, leaf: State) -> Generator[Command, Any, _Bound | None]:
    """The end of the agent's wall time or of the timeout of work that pauses, whichever comes first."""
    bounds, wall_time = [], aggregate.program.workflow.limits.wall_time
    if wall_time is not None and not aggregate.head.is_exempt:
        why = f"the agent may work for {wall_time}, counted from its creation, and that is over (limits.wall_time)"
        failure = Failed(("BudgetExceeded",), why, 0, 0, is_retryable=False)
        bounds.append(_Bound(aggregate.head.created_ms + wall_time.ms, failure))
    if leaf.timeout is not None and aggregate.program.pauses(leaf.path):
        begun_ms = yield from _begun_ms(aggregate)
        why = f"action {leaf.do!r} took longer than {leaf.timeout}"
        failure = Failed(("TimeoutError",), why, 0, 0, is_retryable=False, is_timeout=True)
        bounds.append(_Bound(begun_ms + leaf.timeout.ms, failure))
    return min(bounds, default=None, key=lambda bound: bound.at_ms)


def _begun_ms(aggregate: Aggregate) -> Generator[Command, Any, int]:
    """When the work of the state began: with the entry, or afresh when an operator let it."""
    steps: Sequence[Step] = yield ReadHistory(aggregate.head.id, aggregate.head.activation - 1)
    begun = [
        step.at_ms for step in steps if step.version == aggregate.head.activation or step.kind is StepKind.UNPARKED
    ]
    return begun[-1] if begun else aggregate.head.updated_ms


def concluded(driver: Driver, aggregate: Aggregate, reply: Acted, data: Data, outputs: AttemptOutputs) -> Flow:
    """Turn the reply of an attempt into a step, another attempt, or a pause."""
    aggregate.now_ms = max(aggregate.now_ms, reply.now_ms)
    match reply:
        case Emitted() | Asks():
            yield from _ended(driver, aggregate, reply, data, outputs)
        case Failed():
            yield from _failed(driver, aggregate, reply, outputs)
        case Missing(message):
            yield from _missing(driver, aggregate, message)
        case Doubtful():
            unclear = Event("error", {"place": reply.problem.place} if reply.problem.place else {})
            yield from write(driver, aggregate, with_usage(park(aggregate, unclear, reply.problem), outputs))
        case Paused(until_ms):
            yield from _paused(aggregate, until_ms)
        case Overdue():
            return


def _missing(driver: Driver, aggregate: Aggregate, message: str) -> Flow:
    """Park the agent, or leave it to others who may have its action, and note that."""
    if driver.parks_missing:
        yield from write(driver, aggregate, park(aggregate, Event("error"), Problem(MISSING_ACTION, message)))
        return
    head = aggregate.head
    problem = Problem(MISSING_ACTION, f"no worker has action {aggregate.program.state(head.state).do!r}")
    yield RecordAttempt(head.id, head.epoch, head.attempts, head.retry_ms, problem=problem)
    raise LeftToOthers(message)


def _paused(aggregate: Aggregate, until_ms: int) -> Flow:
    """The action goes on at ``until_ms``, in any process; attempts that failed before no longer count."""
    head = aggregate.head
    yield RecordAttempt(head.id, head.epoch, 0, until_ms)
    aggregate.head, aggregate.is_idle = head.tried(0, until_ms), True
    record: Record = yield Load(head.id)  # what arrived meanwhile need not wait any longer
    aggregate.queue = deque(record.queue)


def _ended(driver: Driver, aggregate: Aggregate, reply: Emitted | Asks, data: Data, outputs: AttemptOutputs) -> Flow:
    """Write the step of the event that the action named, or of its question. If somebody else has changed the same user
    meanwhile, the step is made again from the user's record as it is now."""
    for _ in range(_PATIENCE):
        made = proposed(aggregate, reply, data, outputs)
        if not isinstance(made, PendingStep):
            yield from refused(driver, aggregate, reply, made, outputs)
            return
        if outputs.remark:
            made = made._replace(step=made.step._replace(reason=outputs.remark))
        try:
            yield from write(driver, aggregate, made, is_joined=outputs.is_joined)
        except UserConflict as error:
            now: UserRecord = yield ReadUser(error.user)
            problem = reconcile(aggregate.program.workflow, outputs, now)
            if problem is not None:
                conflict = Failed((problem.type,), problem.message, aggregate.now_ms, reply.duration_ms)
                yield from _failed(driver, aggregate, conflict, outputs)
                return
        else:
            return
    message = f"what is remembered of user {aggregate.head.user!r} changes faster than it can be read"
    yield from _failed(
        driver, aggregate, Failed(("UserConflict",), message, aggregate.now_ms, reply.duration_ms), outputs
    )


def refused(driver: Driver, aggregate: Aggregate, reply: Emitted | Asks, why: Refused, outputs: AttemptOutputs) -> Flow:
    """An event or a question that the action may not use, or invalid data, becomes an ``error``; the log says why."""
    head, problem = aggregate.head, problem_of(why)
    do = aggregate.program.state(head.state).do or ""
    place: str = yield LogRefusal(head.id, head.state, do, head.attempts + 1, problem)
    reported = report(aggregate, problem._replace(place=place), duration_ms=reply.duration_ms)
    yield from write(driver, aggregate, with_usage(reported, outputs), is_joined=outputs.is_joined)


def proposed(aggregate: Aggregate, reply: Emitted | Asks, data: Data, outputs: AttemptOutputs) -> PendingStep | Refused:
    """The step of a reply, or the error that refuses it."""
    event = _ERROR
    try:
        if isinstance(reply, Asks):
            return with_outputs(aggregate, asked(aggregate, reply, data), outputs)
        event = _named_event(aggregate, reply)
        view = View(data)
        context = from_fields(EvaluationContext, (view, event, aggregate.head.visits))
        decision = aggregate.program.machine.decide(aggregate.head.state, event.name, context)
        if type(decision) is Taken:
            pending = take(aggregate, event, decision.move, data=data, view=view, duration_ms=reply.duration_ms)
            return pending if outputs.is_blank else with_outputs(aggregate, pending, outputs)
        guards = decision.guards if isinstance(decision, GuardsRefuse) else ()
        why = f", because no guard held: {listed(guards)}" if guards else ""
        raise IllegalEvent(event.name, aggregate.head.state, _emittable(aggregate), why=why, is_declared=True)
    except (ExpressionFailed, LimitExceeded) as error:
        return with_usage(park(aggregate, event, problem_of(error)), outputs)
    except Refused as error:
        return error


def _named_event(aggregate: Aggregate, reply: Emitted) -> Event:
    """The event that the action has named; raises ``IllegalEvent`` and ``PayloadInvalid``."""
    program, (name, payload, _, _, emits) = aggregate.program, reply
    if not program.knows(name) or (emits is not None and name not in emits):
        expected, state = _emittable(aggregate) if emits is None else sorted(emits), aggregate.head.state
        why = f" as what action {program.state(state).do!r} returns"
        raise IllegalEvent(name, state, expected, why=why, is_declared=program.knows(name))
    if not isinstance(payload, dict):
        raise PayloadInvalid(name, [f"it is {type(payload).__name__}, and must be a dict"])
    if not payload and name in program.bare_events:
        return program.bare_events[name]
    return from_fields(Event, (name, program.payload_rules.complete(name, payload), None, None))


def _emittable(aggregate: Aggregate) -> list[str]:
    """The events that an action may name if it does not declare its own. ``cancel`` comes from outside only."""
    program = aggregate.program
    return [event for event in program.workflow.allowed(aggregate.head.state) if program.knows(event)]


def _failed(driver: Driver, aggregate: Aggregate, reply: Failed, outputs: AttemptOutputs) -> Flow:
    """Another attempt, if one is declared and left; else the event ``error`` or ``timeout``."""
    head = aggregate.head
    failures = head.attempts + 1
    problem = problem_of_attempt(reply._replace(message=_explained(aggregate.program, reply)))
    if (retry_ms := next_attempt_ms(aggregate, reply)) is not None:
        yield RecordAttempt(head.id, head.epoch, failures, retry_ms, problem=problem)
        aggregate.head = head.tried(failures, retry_ms, problem=problem)
        return
    event = "timeout" if reply.is_timeout else "error"
    reported = report(aggregate, problem, event=event, duration_ms=reply.duration_ms)
    yield from write(driver, aggregate, with_usage(reported, outputs), is_joined=outputs.is_joined)


def _explained(program: Program, failure: Failed) -> str:
    """The message of a failure; also a note if the action may have been written for another class of the data."""
    is_likely = program.model_note is not None and not _MISFITS.isdisjoint(failure.types)
    return f"{failure.message}; {program.model_note}" if is_likely else failure.message
