"""What is read of one agent in SQLite, each part within the caller's one view."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.domain.record import Origin, Record, Snapshot
from fsm_agent.domain.step import KeyOutcome, Queued, Step
from fsm_agent.errors import AgentDamaged
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNREADABLE, check_record, check_steps, checked, damaged, reading
from fsm_agent.stores.sqlite import steps, writes
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.writes import Kept


def history(db: Connection, known: Kept, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
    """Steps above a version; raises ``AgentDamaged`` where one is missing: the chain would end there."""
    agent, head = known.agent, known.head
    with reading(head.id, "origin"):
        # Versions follow one another from the origin on, where the history was shortened, else from 1 on.
        begin = one(db, "SELECT version FROM origin WHERE agent = ?", agent)
        before = max(after, checked(int, begin[0]) if begin else 0)
    last = max(head.version if limit is None else min(head.version, before + limit), before)
    try:
        found = steps.page(db, agent, known.last_step, head.created_ms, after=before, upto=last)
        return check_steps(head.id, found, before + 1, last, "steps")
    except UNREADABLE as error:
        raise damaged(head.id, "steps", error) from error


def snapshot(db: Connection, agent: int) -> Snapshot | None:
    row = one(db, "SELECT version, appended_since, data FROM snapshot WHERE agent = ?", agent)
    return codec.snapshot_of(row) if row else None


def origin(db: Connection, agent: int) -> Origin | None:
    row = one(db, "SELECT version, head, data FROM origin WHERE agent = ?", agent)
    return codec.origin_of(row) if row else None


def record(db: Connection, namespace: str, agent_id: str, key: str | None) -> Record:
    """What ``Store.load`` returns."""
    known, kept = writes.read_with_snapshot(db, namespace, agent_id)
    head, place = known.head, "steps"
    try:
        steps_after = tail(db, known, kept)
        place = "queue"
        queued = queue(db, known.agent) if head.queued else ()
        place = "keys"
        became = outcome(db, known.agent, key) if key is not None else None
    except UNREADABLE as error:
        raise damaged(agent_id, place, error) from error
    return check_record(Record(head, kept, steps_after, queued, became), "steps", queue="queue")


def tail(db: Connection, known: Kept, snapshot: Snapshot | None) -> tuple[Step, ...]:
    """The steps above a snapshot, and what it covers of those that append to its lists."""
    covered = snapshot.version if snapshot else 0
    since = min(snapshot.appended_since.values(), default=covered) if snapshot else 0
    found = steps.tail(db, known.agent, known.last_step, known.head.created_ms, since=since, covered=covered)
    if since < covered and (not found or found[0].version != since + 1):
        raise AgentDamaged(known.head.id, "steps", f"the chain of steps does not reach back to version {since + 1}")
    return tuple(step for step in found if step.version > covered or step.delta.append)


def queue(db: Connection, agent: int) -> tuple[Queued, ...]:
    found = rows(db, "SELECT number, event FROM queue WHERE agent = ? ORDER BY number", agent)
    return tuple(codec.queued_of(number, text) for number, text in found)


def outcome(db: Connection, agent: int, key: str) -> KeyOutcome | None:
    row = one(db, "SELECT version, fingerprint FROM keys WHERE agent = ? AND key = ?", agent, key)
    return KeyOutcome(row[0], checked(str, row[1])) if row else None
