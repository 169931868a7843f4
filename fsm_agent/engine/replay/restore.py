"""What a step brings back of an earlier version: its payload says it all, so that nothing else is needed to replay it.

Visits are those of that version. Timers that were armed then are armed again, for their whole duration. An action
that was at work then does not begin by itself: the agent is parked until somebody lets it. Whatever else was wrong
then is left behind. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from fsm_agent.data.delta import own
from fsm_agent.domain.agent import ENDED, ArmedTimer, Head, Status
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Span, ThreadSpans
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.question import Asked
from fsm_agent.domain.state import State, compact
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.program import Program

#: The types of the problems with which an agent waits for the word to begin.
_PROBLEMS: Final = {StepKind.REWOUND: "Rewound", StepKind.FORKED: "Forked"}


def parts_of(then: Head) -> dict[str, Json]:
    """What is brought back of ``then``, for the payload of the step that does it."""
    failure = then.problem if then.status is Status.FAILED else None
    return compact(
        definition=then.definition,
        status=str(_at_rest(then)),
        visits=dict(then.visits),
        timers=[[timer.state, timer.label] for timer in then.timers],
        error=failure and failure.to_json(),
        talk=[list(span) for span in then.talk.spans(then.id)],
        asked=_question(then),
    )


def _question(then: Head) -> Json:
    """What an action had asked; what a state asks is put anew."""
    asked = then.asked
    return [asked.prompt, list(asked.events), list(asked.to)] if asked and asked.events else None


def _asked(program: Program, leaf: State, step: Step, context: EvaluationContext) -> Asked | None:
    if "asked" not in step.payload:
        return program.asked(leaf, context, step.version)
    prompt, events, to = step.payload["asked"]
    return Asked(prompt, tuple(to), tuple(events), step.version)


def _at_rest(then: Head) -> Status:
    if then.status in ENDED:
        return then.status
    return Status.PARKED if then.activation else Status.WAITING


def difference(values: Mapping[str, Json], then: Mapping[str, Json]) -> Delta:
    """What makes the data what they were: whole fields, since nobody has recorded how one differs."""
    differing = {
        name: own(value, name) for name, value in then.items() if name not in values or not alike(value, values[name])
    }
    return Delta(differing, tuple(name for name in values if name not in then))


def alike(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON; to Python ``1``, ``1.0`` and ``True`` are equal."""
    return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def restored(program: Program, head: Head, step: Step, values: Mapping[str, Json]) -> Head:
    """The head after ``step``, which brings back what its payload says; ``values`` are the data after it. Raises
    ``ExpressionFailed`` if the question cannot be put any more."""
    parts, workflow, leaf = step.payload, program.workflow, program.state(step.target)
    status, visits = Status(parts["status"]), parts.get("visits", {})
    context = EvaluationContext(values, None, visits)
    return head._replace(
        workflow=workflow.name,
        workflow_version=workflow.version,
        definition=parts["definition"],
        state=step.target,
        status=status,
        version=step.version,
        updated_ms=step.at_ms,
        visits=visits,
        timers=_armed(program, parts.get("timers", ()), step.at_ms),
        asked=_asked(program, leaf, step, context) if status is Status.WAITING else None,
        activation=step.version if status is Status.PARKED else 0,
        attempts=0,
        retry_ms=None,
        output=program.entry_values(leaf.output, context) if leaf.output else None,
        problem=_problem(step, status),
        is_exempt=False,
        talk=ThreadSpans(head.talk.last, head.talk.last, tuple(Span(*span) for span in parts.get("talk", ()))),
        rewound=step.version if step.kind is StepKind.REWOUND else head.rewound,
    )


def _armed(program: Program, timers: Json, now_ms: int) -> tuple[ArmedTimer, ...]:
    return tuple(timer for state, label in timers for timer in program.timers_of(state, now_ms) if timer.label == label)


def _problem(step: Step, status: Status) -> Problem | None:
    if status is Status.PARKED:
        back = f"{step.kind} to" if step.kind is StepKind.REWOUND else f"forked from agent {step.payload['agent']!r} at"
        begins = f"once it is unparked it begins the work of state {step.target!r}"
        return Problem(_PROBLEMS[step.kind], f"{back} version {step.payload['version']}, and {begins}")
    error = step.payload.get("error")
    return Problem(error["type"], error["message"], place=error.get("place", "")) if error else None
