"""Which transition a step of a history has taken. Pure.

A step records its event, where it led, how many states it entered and what changed, and not which of several
candidates was taken. Mostly only one of them leads there. Where several do, the guards are asked again, as they were
then: of the data before the step and its event, both of which the history has.

One thing a history does not have: an action may write a field that the transition then overwrites. Where a guard that
counts has read such a field, nobody can tell any more, and all candidates that may have been taken are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm_agent.data.delta import apply, own
from fsm_agent.domain.decision import EvaluationContext, Move, Taken, timer_event
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import LeafTransition
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.leaf_moves import leaf_moves
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.fold import Replay, StepImpossible, owned
from fsm_agent.errors import ExpressionFailed

#: with which an operator lets an agent go on without any event
_NO_EVENTS: Final = frozenset({"retry", "settle"})


def taken_by(life: Replay, step: Step) -> tuple[LeafTransition, ...]:
    """The transition that ``step`` takes of an agent as it was before; none for a step that takes none, and several
    where the history does not tell which of them it was."""
    if step.source is None or not _takes_one(step):
        return ()
    program = life.aggregate.program
    if step.source not in program.workflow.by_path:
        return ()
    event = _known_as(life, step)
    ways = [each for each in leaf_moves(program.machine, step.source) if each.event == event]
    found = [each for each in ways if _leads_to(life, each.move, step)]
    if len(found) > 1 and not life.is_erased:
        found = [each for each in found if _may_be(life, step, event, each.move)] or found
    return tuple(each.name for each in found)


def _takes_one(step: Step) -> bool:
    is_retry = step.kind is StepKind.UNPARKED and not step.entered and step.event in _NO_EVENTS
    return step.kind in (StepKind.EVENT, StepKind.UNPARKED) and not is_retry


def _known_as(life: Replay, step: Step) -> str:
    """The name of the step's event in the table."""
    if step.event != "after":
        return step.event
    timer = life.fired(step)
    if timer is None:
        raise StepImpossible(f"version {step.version} is no step of a timer")
    return timer_event(timer.state, timer.label)


def _leads_to(life: Replay, move: Move, step: Step) -> bool:
    return (move.target, len(move.entered)) == (step.target, life.entered(step))


def _may_be(life: Replay, step: Step, event: str, move: Move) -> bool:
    """Whether a candidate may have been taken that leads where the step led."""
    machine, hidden = life.aggregate.program.machine, frozenset[str]()
    values: Mapping[str, Json] = life.values
    if step.duration_ms is not None:  # an action may have written
        hidden = frozenset(move.transition.assign) | frozenset(move.transition.append)
        values = _left_by_the_action(life.values, step, hidden)
    if not hidden.isdisjoint(_read_until(life.aggregate.program, event, step.source or "", move)):
        return True
    facts = Event(step.event, step.payload, step.by)
    try:
        decision = machine.decide(step.source or "", event, EvaluationContext(values, facts, life.head.visits))
    except ExpressionFailed:
        return False
    return isinstance(decision, Taken) and decision.move is move


def _left_by_the_action(before: Mapping[str, Json], step: Step, hidden: frozenset[str]) -> dict[str, Json]:
    """The data as the action left them, but for what the transition has overwritten."""
    values: dict[str, Json] = own(dict(before))
    apply(values, owned(step.delta))
    for field in hidden & before.keys():
        values[field] = before[field]
    return values


def _read_until(program: Program, event: str, leaf: str, move: Move) -> Iterator[str]:
    """The fields that guards read until a candidate is taken."""
    name = "after" if event not in program.workflow.handled(leaf) else event
    for each in program.machine.moves(leaf, event):
        if each.transition.when is not None:
            for mentioned in program.guards.compile(each.transition.when, event=name).mentions:
                if mentioned.startswith("data."):
                    yield mentioned.split(".")[1]
        if each is move:
            return
