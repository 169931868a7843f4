"""The life of an agent in sentences, one for each step: what happened, what changed, and what the agent does then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fsm_agent.data.sealed import MARK
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Delta, Step, iso
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.replay.history import Past
from fsm_agent.report.redaction import NOTHING_HIDDEN, Redaction
from fsm_agent.report.times import lasting

#: characters of a value, and of a question
_LONGEST_VALUE: Final = 60
_LONGEST_PROMPT: Final = 120
#: values that are named in one sentence
_MOST_VALUES: Final = 4
_FAILURES: Final = {"error": "failed", "timeout": "ran out of time"}
#: what somebody has done by a step of a kind
_DONE: Final = {StepKind.CREATED: "started it", StepKind.ERASED: "erased the words of a person"}
_ENDS: Final = {
    Status.DONE: "It is done.",
    Status.FAILED: "It has failed.",
    Status.CANCELLED: "It is cancelled.",
}


class Sentence(NamedTuple):
    """What is told of one step."""

    version: int
    at_ms: int
    text: str

    def to_json(self) -> dict[str, Json]:
        return {"version": self.version, "at": iso(self.at_ms), "text": self.text}


def narrative(past: Past, redaction: Redaction = NOTHING_HIDDEN) -> Iterator[Sentence]:
    """What happened in every step that is kept, the first first, without what the redaction hides. Raises
    ``HistoryBroken`` where a step makes no sense."""
    life = past.beginning()
    left = past.programs[life.head.definition].workflow
    for taken in past.taken_by(life):
        reached = past.programs[life.head.definition].workflow
        step = redaction.step(taken)
        changed = _without_defaults(step.delta, reached) if step.kind is StepKind.CREATED else step.delta
        parts = [_cause(step, left), _changes(changed), _way(step), _arrival(step, life.head, reached, redaction)]
        yield Sentence(step.version, step.at_ms, " ".join(filter(None, parts)))
        left = reached


def _cause(step: Step, workflow: Workflow) -> str:
    who = step.by or "Somebody"
    match step.kind:
        case StepKind.CREATED | StepKind.ERASED:
            return f"{who} {_DONE[step.kind]}."
        case StepKind.EVENT:
            return _event(step, workflow.by_path.get(step.source or ""), who)
        case StepKind.REFUSED:
            return f"`{step.event}`{f' of {step.by}' if step.by else ''} was refused: {step.reason}."
        case StepKind.PARKED:
            return f"It was parked: {step.reason}."
        case StepKind.ASKED:
            return "Its action asked."
        case _:
            return f"It was {step.kind.facts.label.format_map(step.payload)}{f' by {step.by}' if step.by else ''}."


def _event(step: Step, state: State | None, who: str) -> str:
    action = f"`{state.do}`" if state is not None and state.do else "Its action"
    if step.event == "after":
        return f"{step.payload['after']} had passed."
    if step.event in _FAILURES and "message" in step.payload:
        return f"{action} {_FAILURES[step.event]}: {step.payload['type']}: {step.payload['message']}."
    values = _values(step.payload)
    if step.duration_ms is not None:
        return f"{action} worked for {lasting(step.duration_ms)} and named `{step.event}`{values}."
    answers = state.ask.events if state is not None and state.ask else ()
    return f"{who} {'answered' if step.event in answers else 'sent'} `{step.event}`{values}."


def _values(values: Mapping[str, Json]) -> str:
    """`` (amount 175, by "ana")``, or nothing. That something is erased shows in the values."""
    told = [f"{name} {_short(value)}" for name, value in values.items() if name != MARK]
    rest = f" and {len(told) - _MOST_VALUES} more" if len(told) > _MOST_VALUES else ""
    return f" ({', '.join(told[:_MOST_VALUES])}{rest})" if told else ""


def _short(value: Json) -> str:
    """JSON where that is short; else how much there is."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST_VALUE:
        return text
    match value:
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)} fields"
        case _:
            return f"{text[: _LONGEST_VALUE - 1]}…"


def _without_defaults(delta: Delta, workflow: Workflow) -> Delta:
    """What an agent began with besides the defaults of its workflow."""
    given = {name: value for name, value in delta.set.items() if value != workflow.data[name].get("default")}
    return delta._replace(set=given)


def _changes(delta: Delta) -> str:
    told = [f"{_field(pointer)} became {_short(value)}" for pointer, value in delta.set.items()]
    for pointer, items in delta.append.items():
        told.append(f"{_field(pointer)} got {', '.join(map(_short, items))}")
    told += [f"{_field(pointer)} was removed" for pointer in delta.remove]
    if (rest := len(told) - _MOST_VALUES) > 0:
        told = [*told[:_MOST_VALUES], "one more value changed" if rest == 1 else f"{rest} more values changed"]
    return f"{listed(told)}." if told else ""


def _field(pointer: str) -> str:
    return f"data.{pointer.replace('/', '.')}"


def _way(step: Step) -> str:
    if step.source is None:
        return f"It began in `{step.target}`."
    if step.entered or step.source != step.target:
        again = " again" if step.source == step.target else ""
        return f"It went from `{step.source}` to `{step.target}`{again}."
    return ""


def _arrival(step: Step, head: Head, workflow: Workflow, redaction: Redaction) -> str:
    """What the agent does after a step that has brought it somewhere, or that asks."""
    if head.status in ENDED:
        return "" if step.kind in (StepKind.CANCELLED, StepKind.ERASED) else _ENDS[head.status]
    if head.asked is not None and step.asks:
        events = head.asked.events or _answers(workflow, head)
        prompt, people = redaction.quoted(head.asked.prompt), redaction.quoted(list(head.asked.to))
        return f"It asks{f' {listed(people)}' if people else ''}: {_line(prompt)} ({listed(events)})."
    if not (step.entered or step.kind.facts.restores) or head.status is Status.PARKED:
        return ""
    state = workflow.by_path[head.state]
    timers = f", for {listed([timer.label for timer in head.timers])} at most" if head.timers else ""
    return f"There it does `{state.do}`{timers}." if state.do else f"There it waits{timers}."


def _line(text: str) -> str:
    """A text on one line."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= _LONGEST_PROMPT else f'"{line[: _LONGEST_PROMPT - 1]}…"'


def _answers(workflow: Workflow, head: Head) -> tuple[str, ...]:
    ask = workflow.by_path[head.state].ask
    return ask.events if ask else ()
