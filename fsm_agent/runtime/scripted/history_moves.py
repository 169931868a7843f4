"""A life that has happened, written as moves: what a play needs to live it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fsm_agent.data.delta import apply, own
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.leaf_moves import leaf_moves
from fsm_agent.engine.replay.fold import Replay, owned
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.taken import taken_by
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Says, Sent, passes_ms
from fsm_agent.runtime.scripted.play import Play, play

#: steps that the play makes by itself, or that leave nothing to be made
_BY_THEMSELVES = frozenset({StepKind.CREATED, StepKind.ASKED, StepKind.REFUSED, StepKind.ERASED})


class Lived(NamedTuple):
    """A life as a play."""

    moves: tuple[Move, ...]
    data: Mapping[str, Json]


def lived(workflow: Workflow, past: Past) -> Lived | None:
    """The moves that lead a new agent of ``workflow`` where a history has led; ``None`` if none do: the history is
    shortened, was rewound, parked, migrated or forked, or depends on what no move says."""
    if past.first != 1 or not past.steps or past.steps[0].kind is not StepKind.CREATED:
        return None
    life, found = past.beginning(), list[Move]()
    clock_ms = past.steps[0].at_ms
    data = {
        name: value
        for name, value in past.steps[0].delta.set.items()
        if name in workflow.data and value != workflow.data[name].get("default")
    }
    for step in past.steps:
        if step.event == "after" and step.at_ms > clock_ms:
            found.append(passes_ms(step.at_ms - clock_ms))
            clock_ms = step.at_ms
        elif step.kind not in _BY_THEMSELVES and step.event != "after":
            move = _move(workflow, life, step)
            if move is None:
                return None
            found.append(move)
        life.take(step)
    try:
        again = play(workflow, found, data=data, user=past.record.head.user)
    except FsmAgentError:
        return None
    return Lived(tuple(found), data) if _is_same(again, life) else None


def _move(workflow: Workflow, life: Replay, step: Step) -> Move | None:
    if step.kind is StepKind.CANCELLED or (step.kind is StepKind.EVENT and step.event == "cancel"):
        return Cancels(step.by)
    if step.kind is not StepKind.EVENT:
        return None
    if step.event in ("error", "timeout"):
        return Fails(timeout=step.event == "timeout")
    is_said = step.duration_ms is not None and workflow.by_path[step.source or step.target].do != "human.ask"
    return Says(step.event, step.payload, _written(life, step)) if is_said else Sent(step.event, step.payload, step.by)


def _written(life: Replay, step: Step) -> dict[str, Json]:
    """The fields that the action has changed, whole; those that the transition has overwritten are left out."""
    overwritten: set[str] = set()
    for way in leaf_moves(life.aggregate.program.machine, step.source or step.target):
        if way.name in taken_by(life, step):
            overwritten |= {*way.move.transition.assign, *way.move.transition.append}
    values = own(dict(life.values))
    apply(values, owned(step.delta))
    return {field: values[field] for field in step.delta.fields if field in values and field not in overwritten}


def _is_same(again: Play, life: Replay) -> bool:
    now, then = again.head, life.head
    return (now.state, now.status, again.data) == (then.state, then.status, dict(life.values))
