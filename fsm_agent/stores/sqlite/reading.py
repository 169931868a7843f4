"""What is read of one agent in SQLite, each part within the caller's one view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw

from fsm_agent.agent import Head
from fsm_agent.message import own_thread
from fsm_agent.record import Dossier, Snapshot
from fsm_agent.step import KeyOutcome, Queued, Step
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite import effects as sqlite_effects
from fsm_agent.stores.sqlite import talk, whole
from fsm_agent.stores.sqlite.rows import one, rows

#: ?1 is the agent, ?2 when it was created.
_HISTORY: Final = """
SELECT version, kind, event, source, target, ?2 + after_ms, by, duration_ms, reason, append, payload, delta, used
FROM history WHERE agent = ?1 AND version > ?3 ORDER BY version LIMIT ?4
"""
#: Of steps that the snapshot covers (?3), only appended items are read: what stands after them may be big.
_TAIL: Final = """
SELECT version, kind, event, source, target, ?2 + after_ms, by, duration_ms, reason, append,
       iif(version > ?3, payload, NULL), iif(version > ?3, delta, NULL), iif(version > ?3, used, NULL)
FROM history WHERE agent = ?1 AND version > ?4 AND (version > ?3 OR append IS NOT NULL) ORDER BY version
"""


def history(
    db: apsw.Connection, agent: int, created_ms: int, *, after: int = 0, limit: int | None = None
) -> Sequence[Step]:
    found = rows(db, _HISTORY, agent, created_ms, after, -1 if limit is None else limit)
    return [codec.step_of(row) for row in found]


def snapshot(db: apsw.Connection, agent: int) -> Snapshot | None:
    row = one(db, "SELECT version, appended_since, data FROM snapshot WHERE agent = ?", agent)
    return codec.snapshot_of(row) if row else None


def tail(db: apsw.Connection, agent: int, created_ms: int, snapshot: Snapshot | None) -> tuple[Step, ...]:
    covered = snapshot.version if snapshot else 0
    since = min(snapshot.appended_since.values(), default=covered) if snapshot else 0
    return tuple(codec.step_of(row) for row in rows(db, _TAIL, agent, created_ms, covered, since))


def queue(db: apsw.Connection, agent: int) -> tuple[Queued, ...]:
    found = rows(db, "SELECT number, event FROM queue WHERE agent = ? ORDER BY number", agent)
    return tuple(codec.queued_of(number, text) for number, text in found)


def outcome(db: apsw.Connection, agent: int, key: str) -> KeyOutcome | None:
    row = one(db, "SELECT version, fingerprint FROM keys WHERE agent = ? AND key = ?", agent, key)
    return KeyOutcome(*row) if row else None


def dossier(db: apsw.Connection, namespace: str, agent: int, head: Head) -> Dossier:
    numbered = one(db, "SELECT numbered FROM head WHERE namespace = ? AND id = ?", namespace, head.id)
    return Dossier(
        head=head,
        steps=tuple(history(db, agent, head.created_ms)),
        snapshot=snapshot(db, agent),
        origin=whole.origin_of(db, agent),
        queue=queue(db, agent),
        numbered=numbered[0] if numbered else 0,
        keys=whole.keys_of(db, agent),
        start=whole.start_of(db, namespace, head.id),
        effects=sqlite_effects.since(db, agent, 0),
        messages=tuple(talk.read(db, namespace, own_thread(head.id))),
    )
