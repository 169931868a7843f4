"""Rows of ``postgres_queries`` as words. What cannot be read raises ``AgentDamaged``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AgentExport, Record, Snapshot
from fsm_agent.domain.step import KeyOutcome, Queued, Step
from fsm_agent.errors import AgentDamaged
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNPINNED, UNREADABLE, check_record, checked, damaged
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.queries import HEAD_WIDTH
from fsm_agent.stores.postgres.text_escape import told, told_rows

T = TypeVar("T")


def head_of(row: Row) -> Head:
    try:
        return codec.head_of([told(value) for value in row[:HEAD_WIDTH]])
    except UNREADABLE as error:
        if row[3] is None:
            raise AgentDamaged(told(row[0]), "definitions", UNPINNED) from error
        raise damaged(told(row[0]), "agents", error) from error


def part_of(agent_id: str, place: str, read: Callable[[Any], T], row: Any) -> T:
    """What ``read`` makes of what a table keeps of an agent."""
    try:
        return read(row)
    except UNREADABLE as error:
        raise damaged(agent_id, place, error) from error


def record_of(row: Row) -> Record:
    """What ``LOAD`` found."""
    *snapshot, key_version, fingerprint, queue, tail = row[HEAD_WIDTH:]
    head = head_of(row)
    record = Record(
        head=head,
        snapshot=part_of(head.id, "snapshot", _snapshot_of, snapshot),
        tail=part_of(head.id, "history", steps_of, tail),
        queue=part_of(head.id, "queue", _queue_of, queue),
        outcome=None if fingerprint is None else KeyOutcome(key_version, told(fingerprint)),
    )
    return check_record(record, "history", queue="queue")


def dossier_of(row: Row) -> AgentExport:
    """What ``DUMP`` found."""
    snapshot, origin = row[HEAD_WIDTH : HEAD_WIDTH + 3], row[HEAD_WIDTH + 3 : HEAD_WIDTH + 6]
    numbered, start_key, start_fingerprint, queue, keys, effects, steps, said = row[HEAD_WIDTH + 6 :]
    head = head_of(row)
    return AgentExport(
        head=head,
        steps=part_of(head.id, "history", steps_of, steps),
        snapshot=part_of(head.id, "snapshot", _snapshot_of, snapshot),
        origin=None if origin[0] is None else part_of(head.id, "origin", codec.origin_of, origin),
        queue=part_of(head.id, "queue", _queue_of, queue),
        numbered=numbered,
        keys=part_of(head.id, "keys", _keys_of, keys),
        start=None if start_key is None else (told(start_key), told(start_fingerprint)),
        effects=part_of(head.id, "effects", effects_of, effects),
        messages=part_of(head.id, "messages", _messages_of, said),
    )


def steps_of(text: str | None) -> tuple[Step, ...]:
    return tuple(codec.step_of(tuple(row)) for row in told_rows(text))


def effects_of(text: str | None) -> tuple[Any, ...]:
    return tuple(codec.effect_of(effect) for effect in told_rows(text))


def message_of(row: Sequence[Any]) -> Message:
    number, *rest = row
    return codec.message_of(number, [told(value) for value in rest])


def _messages_of(text: str | None) -> tuple[Message, ...]:
    return tuple(message_of(message) for message in told_rows(text))


def _keys_of(text: str | None) -> dict[str, KeyOutcome]:
    return {key: KeyOutcome(version, checked(str, fingerprint)) for key, version, fingerprint in told_rows(text)}


def _snapshot_of(row: Any) -> Snapshot | None:
    version, appended_since, data = row
    return None if version is None else codec.snapshot_of((version, appended_since, data))


def _queue_of(text: str | None) -> tuple[Queued, ...]:
    return tuple(
        codec.queued_of(number, codec.queued_text(event, version)) for number, event, version in told_rows(text)
    )
