"""Rows of ``postgres_queries`` as words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsm_agent.agent import Head
from fsm_agent.message import Message
from fsm_agent.record import Dossier, Record, Snapshot
from fsm_agent.step import KeyOutcome, Queued, Step
from fsm_agent.stores import codec
from fsm_agent.stores.postgres.queries import HEAD_WIDTH
from fsm_agent.stores.postgres.session import Row
from fsm_agent.stores.postgres.text import told, told_rows


def head_of(row: Row) -> Head:
    return codec.head_of([told(value) for value in row[:HEAD_WIDTH]])


def record_of(row: Row) -> Record:
    """What ``LOAD`` found."""
    *snapshot, key_version, fingerprint, queue, tail = row[HEAD_WIDTH:]
    return Record(
        head=head_of(row),
        snapshot=_snapshot_of(snapshot),
        tail=steps_of(tail),
        queue=_queue_of(queue),
        outcome=None if fingerprint is None else KeyOutcome(key_version, told(fingerprint)),
    )


def dossier_of(row: Row) -> Dossier:
    """What ``DUMP`` found."""
    snapshot, origin = row[HEAD_WIDTH : HEAD_WIDTH + 3], row[HEAD_WIDTH + 3 : HEAD_WIDTH + 6]
    numbered, start_key, start_fingerprint, queue, keys, effects, steps, said = row[HEAD_WIDTH + 6 :]
    return Dossier(
        head=head_of(row),
        steps=steps_of(steps),
        snapshot=_snapshot_of(snapshot),
        origin=None if origin[0] is None else codec.origin_of(origin),
        queue=_queue_of(queue),
        numbered=numbered,
        keys={key: KeyOutcome(version, fingerprint) for key, version, fingerprint in told_rows(keys)},
        start=None if start_key is None else (told(start_key), told(start_fingerprint)),
        effects=tuple(codec.effect_of(effect) for effect in told_rows(effects)),
        messages=tuple(message_of(message) for message in told_rows(said)),
    )


def steps_of(text: str | None) -> tuple[Step, ...]:
    return tuple(codec.step_of(tuple(row)) for row in told_rows(text))


def message_of(row: Sequence[Any]) -> Message:
    number, *rest = row
    return codec.message_of(number, [told(value) for value in rest])


def _snapshot_of(row: Any) -> Snapshot | None:
    version, appended_since, data = row
    return None if version is None else codec.snapshot_of((version, appended_since, data))


def _queue_of(text: str | None) -> tuple[Queued, ...]:
    return tuple(
        codec.queued_of(number, codec.queued_text(event, version)) for number, event, version in told_rows(text)
    )
