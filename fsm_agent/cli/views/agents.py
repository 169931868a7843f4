"""Agents, lists and histories as blocks, with the commands that may be typed next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from fsm_agent.cli.blocks import BOUND, Block, Facts, Ink, Prose, Table, Tone, visible
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views.failures import error_block, retry_blocks, trouble, why_of
from fsm_agent.cli.views.next_commands import Next, next_commands
from fsm_agent.cli.views.usage import progress_text, tally_blocks, usage_text
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.question import Question
from fsm_agent.domain.step import Step, moment
from fsm_agent.domain.summary import AgentSummary
from fsm_agent.domain.workflow import Workflow
from fsm_agent.report.times import from_now, lasting, when

_STATUS: Final = {
    Status.RUNNING: (Tone.BUSY, "▶"),
    Status.WAITING: (Tone.ASKING, "○"),
    Status.PARKED: (Tone.BAD, "!"),
    Status.DONE: (Tone.GOOD, "✓"),
    Status.FAILED: (Tone.BAD, "✗"),
    Status.CANCELLED: (Tone.QUIET, "⊘"),
}
LabelsText: TypeAlias = Callable[[Mapping[str, str]], str]
_LONGEST_VALUE: Final = 160
_LONGEST_LINE: Final = 60
#: limit of characters of a step's reason beside the step
_LONGEST_WHY: Final = 50


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels on one line."""
    return ", ".join(f"{name}={text}" for name, text in labels.items())


def nothing(_labels: Mapping[str, str]) -> str:
    """What is shown of labels unless somebody wants to see them."""
    return ""


def agent_blocks(
    settings: CommandSettings,
    agent: Agent,
    workflow: Workflow,
    *,
    more: Iterable[Block] = (),
    doubts: Sequence[EffectEntry] = (),
) -> Iterator[Block]:
    """The state of an agent, its data, its question, the blocks in ``more``, and what to type next. ``doubts`` are the
    effects for which it is parked."""
    yield from still_blocks(agent)
    yield from retry_blocks(agent, workflow)
    yield from more
    if settings.is_lasting:
        yield Facts("next", list(next_rows(next_commands(settings, agent, workflow, doubts))))
    else:
        yield Facts("next", [("", Ink("nothing: an agent in memory:// ends with this command", Tone.QUIET))])


def still_blocks(agent: Agent) -> Iterator[Block]:
    """The state of an agent now or in the past, its data and its question."""
    yield Facts("", [(label, ink) for label, ink in _standing(agent) if ink.text])
    yield from tally_blocks(agent)
    if agent.data:
        yield Facts("data", [(name, Ink(short(value))) for name, value in agent.data.items()])
    if agent.output:
        yield Facts("output", _fields(agent.output))
    if agent.error:
        yield error_block(agent.error)
    if agent.question:
        yield question_block(agent.question)


def next_rows(commands: Iterable[Next]) -> Iterator[tuple[str, Ink]]:
    for label, command, values in commands:
        yield label, Ink(command, Tone.COMMAND)
        if values:
            yield "", Ink(visible(values), Tone.QUIET)


def _standing(agent: Agent) -> list[tuple[str, Ink]]:
    return [
        ("agent", Ink(agent.id, Tone.STRONG)),
        ("workflow", Ink(f"{agent.workflow} v{agent.workflow_version}")),
        ("status", status_ink(agent.status)),
        ("state", Ink(agent.state)),
        ("version", Ink(str(agent.version))),
        ("serves", Ink(visible(agent.user or ""))),
        ("child of", Ink(agent.parent.id if agent.parent else "")),
        ("labels", Ink(labels_text(agent.labels))),
        ("messages", Ink(str(agent.messages or ""))),
        ("created", Ink(when(agent.created_at))),
        ("updated", Ink(when(agent.updated_at))),
        ("delivery", Ink("" if agent.delivery in (None, "applied") else str(agent.delivery), Tone.ASKING)),
    ]


def _fields(output: Json) -> list[tuple[str, Ink]]:
    named = output if isinstance(output, Mapping) else {"": output}
    return [(name, Ink(short(value), Tone.STRONG)) for name, value in named.items()]


def question_block(question: Question) -> Prose:
    """The prompt of a question, its id, who may answer, and until when."""
    to = f"for {' or '.join(question.to)}" if question.to else ""
    footer = ", ".join(filter(None, [f"question {question.id}", to, until_text(question)]))
    return Prose("question", visible(question.prompt, keep="\n"), visible(footer))


def until_text(question: Question) -> str:
    """When a question ends; empty if it does not."""
    return f"until {when(question.deadline)}, {from_now(question.deadline)}" if question.deadline else ""


def agents_blocks(agents: Iterable[AgentSummary | Agent], *, labels: LabelsText = nothing) -> Iterator[Block]:
    """Agents in a table; below it, the reasons why some failed, are parked or are tried again. ``labels`` says what the
    table shows of their labels."""
    agents = list(agents)
    yield agents_table(agents, labels=labels)
    if rows := [[Ink(agent.id, Tone.STRONG), Ink(text, Tone.BAD)] for agent in agents if (text := trouble(agent))]:
        yield Table(("id", "error"), rows, "", names_agents=True)


def agents_table(agents: Iterable[AgentSummary | Agent], *, labels: LabelsText = nothing) -> Table:
    rows = [
        [
            Ink(agent.id, Tone.STRONG),
            Ink(f"{agent.workflow} v{agent.workflow_version}"),
            status_ink(agent.status),
            Ink(agent.state),
            Ink(str(agent.version)),
            Ink(when(agent.updated_at), Tone.QUIET),
            Ink(progress_text(agent.progress)),
            Ink(labels(agent.labels)),
        ]
        for agent in agents
    ]
    columns = ("id", "workflow", "status", "state", "version", "updated", "progress", "labels")
    return _telling(Table(columns, rows, "there are no such agents", names_agents=True), "progress", "labels")


def inbox_blocks(agents: Iterable[AgentSummary], *, labels: LabelsText = nothing) -> list[Block]:
    """The open questions, who may answer, and until when."""
    rows = [
        [
            Ink(agent.id, Tone.STRONG),
            Ink(f"{agent.workflow} v{agent.workflow_version}"),
            Ink(str(agent.question.id)),
            Ink(short_line(agent.question.prompt)),
            Ink(visible(" or ".join(agent.question.to))),
            Ink(_bound(until_text(agent.question).removeprefix("until ")), Tone.QUIET),
            Ink(labels(agent.labels)),
        ]
        for agent in agents
        if agent.question is not None
    ]
    columns = ("id", "workflow", "question", "asks", "for", "until", "labels")
    return [_telling(Table(columns, rows, "nobody is asked anything", names_agents=True), "labels")]


def _bound(text: str) -> str:
    """A text that breaks only after a comma."""
    return text.replace(" ", BOUND).replace(f",{BOUND}", ", ")


def short_line(text: str) -> str:
    """A text on one line, shortened for a table."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _telling(table: Table, *optional: str) -> Table:
    """A table without those of its optional columns that are empty."""
    silent = {
        at for at, name in enumerate(table.columns) if name in optional and not any(row[at].text for row in table.rows)
    }
    return table._replace(
        columns=[name for at, name in enumerate(table.columns) if at not in silent],
        rows=[[ink for at, ink in enumerate(row) if at not in silent] for row in table.rows],
    )


def history_blocks(steps: Sequence[Step]) -> Iterator[Block]:
    """Steps in a table; below it, texts that are too long for the table."""
    yield history_table(steps)
    reasons = [(str(step.version), reason_of(step)) for step in steps]
    if long := [(version, why) for version, why in reasons if len(why.text) > _LONGEST_WHY]:
        yield Facts("why", long)


def history_table(steps: Sequence[Step]) -> Table:
    rows = [
        [
            Ink(str(step.version), Tone.QUIET),
            Ink(when(moment(step.at_ms)), Tone.QUIET),
            Ink(step.event, Tone.STRONG),
            Ink(way(step)),
            Ink(visible(step.by or "")),
            Ink("" if step.duration_ms is None else lasting(step.duration_ms)),
            Ink(str(step.said or "")),
            Ink(usage_text(step)),
            _cut(reason_of(step)),
        ]
        for step in steps
    ]
    columns = ("version", "time", "event", "from → to", "by", "took", "messages", "tokens", "why")
    return _telling(Table(columns, rows, "there are no steps"), "messages", "tokens")


def _cut(why: Ink) -> Ink:
    return why if len(why.text) <= _LONGEST_WHY else why._replace(text=f"{why.text[: _LONGEST_WHY - 1]}…")


def way(step: Step) -> str:
    """The state that a step left, and the state that it entered."""
    return step.target if step.source in (None, step.target) else f"{step.source} → {step.target}"


def reason_of(step: Step) -> Ink:
    """The kind of a step, unless that is obvious, and its reason."""
    label = step.kind.facts.label.format_map(step.payload)
    why = why_of(step)
    tone = Tone.STRONG if step.kind.facts.restores else Tone.BAD if label or why else Tone.QUIET
    return Ink(visible(": ".join(filter(None, [label, why]))), tone)


def status_ink(status: Status) -> Ink:
    tone, glyph = _STATUS[status]
    return Ink(str(status), tone, glyph)


def short(value: Json) -> str:
    """JSON, shortened for a line."""
    text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)"
