"""``why``: whether an event would be taken now, and why or why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import click

from fsm_agent.cli.blocks import Block, Facts, Ink, Tone, visible
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID, EVENT
from fsm_agent.cli.input.values import json_object
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event
from fsm_agent.domain.text import listed, standing
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import UnknownEvent
from fsm_agent.report.why import Candidate, candidates
from fsm_agent.runtime.agent_reads import claimed_events, workflow_of
from fsm_agent.stores.base import Store


class Asked(NamedTuple):
    """The agent, and the candidates of the event."""

    head: Head
    workflow: Workflow
    candidates: Sequence[Candidate]


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.argument("event", type=EVENT, metavar="EVENT")
@click.option(
    "--payload", type=json_object, metavar="JSON|@file", help="Payload of the event: a JSON object, or a file with one."
)
@click.pass_obj
def why(settings: CommandSettings, agent_id: str, event: str, payload: Mapping[str, Json] | None) -> None:
    """Tell whether agent ID would take EVENT now: each condition with its values, and what would have to change.

    Nothing is sent. Without --payload conditions that read it cannot be evaluated.
    """

    async def read(store: Store) -> Asked:
        record = await find(store, agent_id, store.load)
        workflow = await workflow_of(store, record.head)
        if event not in (*workflow.events, "cancel", "error", "timeout"):
            raise UnknownEvent(event, [*workflow.events, "cancel"])
        values = fold(record.snapshot, record.tail).values
        context = EvaluationContext(values, Event(event, payload or {}, settings.by), record.head.visits)
        return Asked(record.head, workflow, candidates(Machine(workflow), record.head.state, event, context))

    asked = read_store(settings, read)
    document: dict[str, Json] = {
        "id": asked.head.id,
        "state": asked.head.state,
        "event": event,
        "allowed": list(asked.workflow.allowed(asked.head.state)),
        "candidates": [candidate.to_json() for candidate in asked.candidates],
    }
    output.show(settings, document, lambda: list(_blocks(asked, event)))


def _blocks(asked: Asked, event: str) -> Iterator[Block]:
    head = asked.head
    yield Facts("", [("agent", Ink(head.id, Tone.STRONG)), ("state", Ink(head.state)), (event, _outcome(asked, event))])
    for number, candidate in enumerate(asked.candidates, start=1):
        if candidate.guard is not None:
            yield Facts(f"{number}. to {candidate.target}, when {visible(candidate.guard)}", list(_rows(candidate)))


def _outcome(asked: Asked, event: str) -> Ink:
    """Whether the event would be taken."""
    head = asked.head
    if head.status in ENDED or (head.status is Status.PARKED and event != "cancel"):
        return Ink(f"is not taken: the agent {standing(head.status)}", Tone.BAD)
    if event in claimed_events(asked.workflow, head):
        return Ink("is not taken from outside: only the action at work may name it", Tone.BAD)
    if not asked.candidates:
        allowed = listed(asked.workflow.allowed(asked.head.state))
        return Ink(f"is not taken in `{asked.head.state}`, whatever the data are; {allowed} may be", Tone.BAD)
    for candidate in asked.candidates:
        if candidate.holds:
            return Ink(f"would be taken, and lead to `{candidate.target}`", Tone.GOOD)
        if candidate.holds is None:
            return Ink(f"the guard to `{candidate.target}` cannot be evaluated", Tone.BAD)
    return Ink("would be refused: no guard holds", Tone.BAD)


def _rows(candidate: Candidate) -> Iterator[tuple[str, Ink]]:
    for condition in candidate.conditions:
        values = ", ".join(f"{name} is {_shown(value)}" for name, value in condition.values.items())
        outcome = "fails" if condition.holds is None else str(condition.holds).lower()
        tone = Tone.GOOD if condition.holds else Tone.BAD
        yield outcome, Ink(visible(f"{condition.text}{f', where {values}' if values else ''}"), tone)
    if candidate.needs:
        changes = " and ".join(f"`{text}` were {str(holds).lower()}" for text, holds in candidate.needs)
        yield "needs", Ink(visible(f"it would hold if {changes}"))


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
