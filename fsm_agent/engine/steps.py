"""The steps that can be made of an agent: what each changes in its data and in its head. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fsm_agent.data.data import Data, View, changes
from fsm_agent.data.delta import step_weight
from fsm_agent.data.draft import ListDraft
from fsm_agent.domain.agent import RUNNING, WAITING, ArmedTimer, Head, Status
from fsm_agent.domain.decision import Changes, EvaluationContext, Move
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Problem, why_parked
from fsm_agent.domain.step import EMPTY_DELTA, Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import shortened
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.limits import check_limits
from fsm_agent.engine.questions import kept_or_renewed
from fsm_agent.engine.timers import rearmed
from fsm_agent.errors import DataInvalid

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program


def take(
    aggregate: Aggregate,
    event: Event,
    move: Move,
    *,
    data: Data | None = None,
    view: View | None = None,
    duration_ms: int | None = None,
    fired: ArmedTimer | None = None,
    kind: StepKind = StepKind.EVENT,
    written: Changes | None = None,
) -> PendingStep:
    """The step that ``event`` makes by ``move``: assigns, one validation, exit and entry.

    ``data`` is the draft that the action left and ``view`` a view of it, ``duration_ms`` how long it took to name this
    event, ``written`` what the transition writes if that is not as declared. Raises ``DataInvalid``,
    ``ExpressionFailed``, ``LimitExceeded``.
    """
    program, head = aggregate.program, aggregate.head
    data = aggregate.draft() if data is None else data
    view = View(data) if view is None else view
    transition, _, _, entered = move
    if written is None and (transition.assign or transition.append):
        written = program.changes(move, event, view, head.visits)
    if written is not None:
        _write(data, written)
    delta = changes(data)
    weight = step_weight(delta)
    if delta is not EMPTY_DELTA:
        admit(aggregate, delta, weight, view)
    unfolded = head.unfolded + weight
    asks_anew = False
    if not entered:
        moved = stay(aggregate, fired, unfolded=unfolded, is_done=duration_ms is not None)
        if moved.asked is not None and delta is not EMPTY_DELTA:
            moved = kept_or_renewed(program, moved, view)
            asks_anew = moved.asked is not head.asked
    else:
        moved = enter(aggregate, move, event, view, fired=fired, unfolded=unfolded)
    if moved.asked is not None or moved.output is not None:
        require_room(program, moved)
    if program.is_limited and event.name != "cancel":  # to stop an agent must work above all when it has gone too far
        check_limits(aggregate, moved)
    if program.has_progress:
        moved = with_progress(program, moved, view)
    name, payload, by, _ = event
    place = (moved.version, kind, name, payload, head.state, moved.state, aggregate.now_ms)
    step = from_fields(Step, (*place, delta, by, duration_ms, None, len(entered), 0, NO_USAGE, asks_anew))
    return from_fields(PendingStep, (moved, step, (), None))


def admit(aggregate: Aggregate, delta: Delta, weight: int, view: Mapping[str, Json]) -> None:
    """Check what a step changes in the data. ``weight`` is its ``step_weight``, and ``view`` is the data with the
    changes. Raises ``DataInvalid``. The recorded size stays right if the step is not committed, since it is an upper
    bound."""
    program = aggregate.program
    aggregate.data_bytes = program.data_limit.admitted(
        aggregate.data_bytes, delta, weight, aggregate.folded.values, view
    )
    program.data_rules.check(delta, view)


def require_room(program: Program, moved: Head) -> None:
    """Raises ``DataTooLarge`` if the question or the output of a head is too heavy. A replay does not call this, since
    the limits may have been others then."""
    if moved.asked is not None:
        program.data_limit.require_of("the question", moved.asked.prompt)
    if moved.output:
        program.data_limit.require(moved.output)


def with_progress(program: Program, head: Head, values: Mapping[str, Json]) -> Head:
    """The head with the progress that is computed from ``values``."""
    progress = program.progress(values, head.visits)
    return head if progress == head.progress else head._replace(progress=progress)


def _write(data: Data, written: Changes) -> None:
    for name, value in written.assign.items():
        data[name] = value
    for name, item in written.append.items():
        _append(data, name, item)


def _append(data: Data, name: str, item: Json) -> None:
    items = data[name]
    if items is None:
        data[name] = [item]
    elif isinstance(items, ListDraft):
        items.append(item)
    else:  # what an action left there is judged only later
        raise DataInvalid([f"{name} is {shortened(items)}, and only a list can be appended to"])


def stay(aggregate: Aggregate, fired: ArmedTimer | None, *, unfolded: int, is_done: bool = False) -> Head:
    """The head after an internal transition. Only two things change: the timer that fired is gone, and an action that
    has named its event is done, so that the agent waits where it is."""
    head = aggregate.head._replace(
        version=aggregate.head.version + 1,
        updated_ms=aggregate.now_ms,
        timers=tuple(timer for timer in aggregate.head.timers if timer is not fired),
        is_exempt=False,
        unfolded=unfolded,
    )
    return head._replace(status=WAITING, activation=0, attempts=0, retry_ms=None, problem=None) if is_done else head


def enter(
    aggregate: Aggregate, move: Move, event: Event, view: Mapping[str, Json], *, fired: ArmedTimer | None, unfolded: int
) -> Head:
    """Leave what ``move`` leaves, enter what it enters: counts, timers, question, activation, outcome. ``view`` is the
    data as the step leaves it."""
    program, head = aggregate.program, aggregate.head
    _, target, _, entered = move
    leaf, visits = program.states[target], dict(head.visits)
    for path in entered:
        visits[path] = visits.get(path, 0) + 1
    asked = output = problem = None
    if leaf.ask or leaf.output:
        context = EvaluationContext(view, None, visits)
        asked = program.asked(leaf, context, head.version + 1)
        output = program.entry_values(leaf.output, context) if leaf.output else None
    status = RUNNING if leaf.do else WAITING
    if leaf.final:
        status = Status(leaf.outcome)
        problem = _why_failed(event) if status is Status.FAILED else None
    return head.entered(
        target,
        status,
        at_ms=aggregate.now_ms,
        visits=visits,
        timers=rearmed(aggregate, move, fired) if head.timers or not program.timed.isdisjoint(entered) else (),
        asked=asked,
        output=output,
        problem=problem,
        unfolded=unfolded,
    )


def _why_failed(event: Event) -> Problem | None:
    if event.name in ("error", "timeout"):
        return Problem(event.payload["type"], event.payload["message"], place=event.payload.get("place", ""))
    return None


def refuse(aggregate: Aggregate, event: Event, reason: str, *, fired: ArmedTimer | None = None) -> PendingStep:
    """The step that refuses an acknowledged event which has become impossible."""
    return PendingStep(
        stay(aggregate, fired, unfolded=aggregate.head.unfolded), _mark(aggregate, StepKind.REFUSED, event, reason)
    )


def park(aggregate: Aggregate, event: Event, problem: Problem) -> PendingStep:
    """The step that parks the agent until an operator decides. Its timers stay armed, but do not fire. The place of
    the problem is what the step tells of it, so that a replay tells the same."""
    step = _mark(aggregate, StepKind.PARKED, event, f"{problem.type}: {problem.message}")
    head = aggregate.head._replace(
        version=aggregate.head.version + 1,
        updated_ms=aggregate.now_ms,
        status=Status.PARKED,
        retry_ms=None,
        problem=problem._replace(place=why_parked(step).place),
        is_exempt=False,
    )
    return PendingStep(head, step)


def unpark(aggregate: Aggregate, event: Event, *, exempt: bool) -> PendingStep:
    """The step that lets a parked agent go on; its action starts again under the same activation."""
    head = aggregate.head._replace(
        version=aggregate.head.version + 1,
        updated_ms=aggregate.now_ms,
        status=Status.RUNNING if aggregate.head.activation else Status.WAITING,
        attempts=0,
        problem=None,
        is_exempt=exempt,
    )
    return PendingStep(head, _mark(aggregate, StepKind.UNPARKED, event, None))


def cancel(aggregate: Aggregate, event: Event) -> PendingStep:
    """The step that cancels the agent; workflows need not declare it."""
    head = aggregate.head._replace(
        version=aggregate.head.version + 1,
        updated_ms=aggregate.now_ms,
        status=Status.CANCELLED,
        timers=(),
        asked=None,
        activation=0,
        retry_ms=None,
        problem=None,
    )
    return PendingStep(head, _mark(aggregate, StepKind.CANCELLED, event, None))


def _mark(aggregate: Aggregate, kind: StepKind, event: Event, reason: str | None, delta: Delta = EMPTY_DELTA) -> Step:
    """A step that moves nothing."""
    return Step(
        version=aggregate.head.version + 1,
        kind=kind,
        event=event.name,
        payload=event.payload,
        source=aggregate.head.state,
        target=aggregate.head.state,
        at_ms=aggregate.now_ms,
        delta=delta,
        by=event.by,
        reason=reason,
    )
