"""What a step that moved an agent to another definition made of it, told from the step and both definitions. Pure.

Counts are those that the step gives, if it gives any. A timer goes on under the same state and length, whatever they
are called now; others of the new definition run from then on. The question is asked anew. An action goes on if the
state does the same with the same arguments; any other waits, parked, for an operator, under a new activation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.agent import ArmedTimer, Head, Problem, Status
from fsm_agent.engine.live import Live
from fsm_agent.engine.program import Program
from fsm_agent.machine import Scene
from fsm_agent.state import State
from fsm_agent.step import Step
from fsm_agent.workflow import lineage

#: why an agent is parked whose state does something else now
ACTION_CHANGED: Final = "ActionChanged"


def migrated(program: Program, live: Live, step: Step) -> Head:
    """The head after ``step``, which pinned the agent to ``program``; ``live`` has the head before it, and the data
    as they are after it."""
    head, leaf = live.head, program.state(step.target)
    visits = step.payload.get("visits", head.visits)
    scene = Scene(live.folded.values, {}, visits)
    moved = head._replace(
        workflow=program.workflow.name,
        workflow_version=program.workflow.version,
        definition=step.payload["to"],
        state=leaf.path,
        version=step.version,
        updated_ms=step.at_ms,
        visits=visits,
        timers=() if leaf.final else tuple(_timers(program, live, step)),
        asked=program.asked(leaf, scene),
        output=program.entry_values(leaf.output, scene) if leaf.output else None,
    )
    if leaf.final:
        return moved._replace(status=Status(leaf.outcome), activation=0, problem=None)
    return _at_work(moved, live.program.state(head.state), leaf, step)


def _at_work(moved: Head, before: State, leaf: State, step: Step) -> Head:
    is_parked = moved.status is Status.PARKED
    if leaf.do is None:
        return moved._replace(status=Status.PARKED if is_parked else Status.WAITING, activation=0)
    if (before.do, dict(before.with_)) == (leaf.do, dict(leaf.with_)):
        return moved
    problem = moved.problem if is_parked else Problem(ACTION_CHANGED, step.reason or "")
    return moved._replace(status=Status.PARKED, activation=step.version, problem=problem)


def _timers(program: Program, live: Live, step: Step) -> Iterator[ArmedTimer]:
    names = dict(zip(lineage(live.head.state), lineage(step.target), strict=False))
    had = {
        (path, timer.duration.text): (names.get(path, path), timer.duration.ms)
        for path in lineage(live.head.state)
        for timer in live.program.state(path).after
    }
    armed = {had[timer.state, timer.label]: timer.due_ms for timer in live.head.timers}
    for path in lineage(step.target):
        for timer in program.state(path).after:
            key = (path, timer.duration.ms)
            if key in armed or key not in had.values():
                yield ArmedTimer(path, timer.duration.text, armed.get(key, step.at_ms + timer.duration.ms))
