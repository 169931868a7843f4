"""The life of an agent as one document that needs nothing else: what it is pinned to, how it began, and for each step
what happened, what changed, and how the agent stood then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fsm_agent.dialect.writer import to_document
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.replay.history import Past
from fsm_agent.report.narrative import narrative
from fsm_agent.report.redaction import DATA, LABELS, OUTPUT, USER, Redaction


class StepTold(NamedTuple):
    """A step, and how the agent stood after it."""

    step: Step
    #: hash of the definition to which the agent was pinned
    definition: str
    status: str
    #: what it asked, if it did
    prompt: str | None
    output: Json
    text: str

    def to_json(self) -> dict[str, Json]:
        facts = {"definition": self.definition, "status": self.status, "prompt": self.prompt, "output": self.output}
        return {**self.step.to_json(), **facts, "text": self.text}


class Life(NamedTuple):
    """All that is kept of an agent, redacted."""

    id: str
    user: str | None
    #: as it is labelled now: no step tells that
    labels: Json
    #: the version before the first step that is kept; 0 is before the creation
    after: int
    #: the data as of that version
    values: Mapping[str, Json]
    steps: Sequence[StepTold]
    #: by hash, in the order in which the agent came to them
    definitions: Mapping[str, Workflow]

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "user": self.user,
            "labels": self.labels,
            "after": self.after,
            "data": dict(self.values),
            "steps": [step.to_json() for step in self.steps],
            "definitions": {each: to_document(workflow) for each, workflow in self.definitions.items()},
        }


def life_of(past: Past, redaction: Redaction) -> Life:
    """What is kept of an agent, without what the redaction hides. Raises ``HistoryBroken`` where a step makes no
    sense."""
    beginning, now = past.beginning(), past.record.head
    first, values = beginning.head.definition, dict(beginning.values)
    redaction.value(values, DATA)
    redaction.value(now.user, USER)
    labels = redaction.value(dict(now.labels), LABELS)
    _meet_all(past, redaction)
    steps = list(_steps(past, redaction))
    hashes = dict.fromkeys([first, *(step.definition for step in steps)])
    return Life(
        redaction.quoted(now.id),
        redaction.shown(now.user, USER),
        redaction.quoted(labels),
        past.steps[0].version - 1 if past.steps else past.last,
        redaction.shown(values, DATA),
        steps,
        {each: past.programs[each].workflow for each in hashes},
    )


def _meet_all(past: Past, redaction: Redaction) -> None:
    life = past.beginning()
    for step in past.taken_by(life):
        redaction.meet(step)
        redaction.value(life.head.output, OUTPUT)


def _steps(past: Past, redaction: Redaction) -> Iterator[StepTold]:
    life = past.beginning()
    for step, sentence in zip(past.taken_by(life), narrative(past, redaction), strict=True):
        head: Head = life.head
        output = redaction.shown(head.output, OUTPUT)
        prompt = redaction.quoted(head.asked.prompt) if head.asked else None
        yield StepTold(redaction.step(step), head.definition, str(head.status), prompt, output, sentence.text)
