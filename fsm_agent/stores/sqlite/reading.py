"""What is read of one agent in SQLite, each part within the caller's one view."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.message import own_thread
from fsm_agent.record import Dossier, Snapshot
from fsm_agent.step import KeyOutcome, Queued, Step
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite import effects as sqlite_effects
from fsm_agent.stores.sqlite import steps, talk, whole
from fsm_agent.stores.sqlite.connection import Connection
from fsm_agent.stores.sqlite.rows import one, rows
from fsm_agent.stores.sqlite.units import Kept


def history(db: Connection, known: Kept, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
    return steps.page(db, known.agent, known.last_step, known.head.created_ms, after=after, limit=limit)


def snapshot(db: Connection, agent: int) -> Snapshot | None:
    row = one(db, "SELECT version, appended_since, data FROM snapshot WHERE agent = ?", agent)
    return codec.snapshot_of(row) if row else None


def tail(db: Connection, known: Kept, snapshot: Snapshot | None) -> tuple[Step, ...]:
    covered = snapshot.version if snapshot else 0
    since = min(snapshot.appended_since.values(), default=covered) if snapshot else 0
    found = steps.tail(db, known.agent, known.last_step, known.head.created_ms, since=since, covered=covered)
    return tuple(found)


def queue(db: Connection, agent: int) -> tuple[Queued, ...]:
    found = rows(db, "SELECT number, event FROM queue WHERE agent = ? ORDER BY number", agent)
    return tuple(codec.queued_of(number, text) for number, text in found)


def outcome(db: Connection, agent: int, key: str) -> KeyOutcome | None:
    row = one(db, "SELECT version, fingerprint FROM keys WHERE agent = ? AND key = ?", agent, key)
    return KeyOutcome(*row) if row else None


def dossier(db: Connection, namespace: str, known: Kept) -> Dossier:
    agent, head = known.agent, known.head
    numbered = one(db, "SELECT numbered FROM agents WHERE namespace = ? AND id = ?", namespace, head.id)
    return Dossier(
        head=head,
        steps=tuple(history(db, known)),
        snapshot=snapshot(db, agent),
        origin=whole.origin_of(db, agent),
        queue=queue(db, agent),
        numbered=numbered[0] if numbered else 0,
        keys=whole.keys_of(db, agent),
        start=whole.start_of(db, namespace, head.id),
        effects=sqlite_effects.since(db, agent, 0),
        messages=tuple(talk.read(db, namespace, own_thread(head.id))),
    )
