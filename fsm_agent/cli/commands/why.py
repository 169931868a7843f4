"""``why``: whether an event would be taken now, and why or why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Record
from fsm_agent.domain.step import Event
from fsm_agent.domain.text import listed, standing
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.program import Program
from fsm_agent.errors import PayloadInvalid, UnknownEvent
from fsm_agent.report.why import Candidate, Verdict, candidates, verdict
from fsm_agent.runtime.agent_reads import claimed_events, workflow_of
from fsm_agent.stores.base import Store


class Asked(NamedTuple):
    """The agent, and the candidates of the event."""

    head: Head
    workflow: Workflow
    candidates: Sequence[Candidate]
    verdict: Verdict


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.argument("event", type=EVENT, metavar="EVENT")
@click.option(
    "--payload", type=json_object, metavar="JSON|@file", help="Payload of the event: a JSON object, or a file with one."
)
@click.pass_obj
def why(settings: CommandSettings, agent_id: str, event: str, payload: Mapping[str, Json] | None) -> None:
    """Tell whether agent ID would take EVENT now: each condition with its values, and what would have to change.

    Nothing is sent. Where the event needs a payload, conditions that read it cannot be evaluated without --payload.
    --by says who would send it.
    """

    async def read(store: Store) -> Asked:
        record = await find(store, agent_id, store.load)
        workflow = await workflow_of(store, record.head)
        if event not in (*workflow.events, "cancel", "error", "timeout"):
            raise UnknownEvent(event, [*workflow.events, "cancel"])
        return _asked(Program(workflow), record, Event(event, payload or {}, settings.by), await store.now(), payload)

    asked = read_store(settings, read)
    document: dict[str, Json] = {
        "id": asked.head.id,
        "state": asked.head.state,
        "event": event,
        "allowed": list(asked.workflow.allowed(asked.head.state)),
        "target": asked.verdict.target,
        "refusal": asked.verdict.refusal,
        "candidates": [candidate.to_json() for candidate in asked.candidates],
    }
    output.show(settings, document, lambda: list(_blocks(asked, event)))


def _asked(program: Program, record: Record, event: Event, now_ms: int, payload: Mapping[str, Json] | None) -> Asked:
    """What would become of the event. A payload that is left out is empty, as for ``send``, if that will do."""
    head, workflow = record.head, program.workflow
    aggregate = Aggregate(program, head, fold(record.snapshot, record.tail), max(now_ms, head.updated_ms))
    would_be = verdict(aggregate, event, has_payload=payload is not None)
    with suppress(PayloadInvalid):
        event = event._replace(payload=program.payload_rules.complete(event.name, event.payload))
    found = candidates(program.machine, head.state, event.name, aggregate.context(event))
    return Asked(head, workflow, found, would_be)


def _blocks(asked: Asked, event: str) -> Iterator[Block]:
    head = asked.head
    yield Facts("", [("agent", Ink(head.id, Tone.STRONG)), ("state", Ink(head.state)), (event, _outcome(asked, event))])
    for number, candidate in enumerate(asked.candidates, start=1):
        if candidate.guard is not None:
            yield Facts(f"{number}. to {candidate.target}, when {visible(candidate.guard)}", list(_rows(candidate)))


def _outcome(asked: Asked, event: str) -> Ink:
    """Whether the event would be taken."""
    would_be = asked.verdict
    if would_be.target is not None and not asked.candidates:
        return Ink("would be taken, and the agent would be cancelled where it is", Tone.GOOD)
    if would_be.target is not None:
        return Ink(f"would be taken, and lead to `{would_be.target}`", Tone.GOOD)
    if would_be.parks:
        return Ink(f"would park the agent: {would_be.refusal}", Tone.BAD)
    reason = _not_taken(asked, event)
    if reason is not None:
        return Ink(f"is not taken{reason}", Tone.BAD)
    if would_be.refusal is None:
        return _without_payload(next(each for each in asked.candidates if each.holds is not False))
    no_guard_holds = all(candidate.holds is False for candidate in asked.candidates)
    return Ink(f"would be refused: {'no guard holds' if no_guard_holds else would_be.refusal}", Tone.BAD)


def _not_taken(asked: Asked, event: str) -> str | None:
    """Why the agent takes no such event now, whatever the data and the payload are."""
    head = asked.head
    if head.status in ENDED or head.status is Status.PARKED:
        return f": the agent {standing(head.status)}"
    if event in claimed_events(asked.workflow, head):
        return " from outside: only the action at work may name it"
    if not asked.candidates:
        allowed = listed(asked.workflow.allowed(head.state))
        return f" in `{head.state}`, whatever the data are; {allowed} may be"
    return None


def _without_payload(candidate: Candidate) -> Ink:
    """What is known of an event that needs a payload and was given none."""
    if candidate.holds:
        return Ink(f"would be taken with a payload that fits, and lead to `{candidate.target}`", Tone.GOOD)
    return Ink(f"needs --payload to be judged: the guard to `{candidate.target}` cannot be evaluated", Tone.BAD)


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
