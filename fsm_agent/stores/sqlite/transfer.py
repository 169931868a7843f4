"""Agents as a whole in SQLite: shortened, deleted, weighed, handed over.

``store`` imports it in the verbs that need it: most processes call none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.record import AgentExport, Origin, Size
from fsm_agent.domain.step import KeyOutcome
from fsm_agent.errors import AgentDamaged, AgentExists
from fsm_agent.stores import codec
from fsm_agent.stores.damage import checked, reading
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.sqlite import effects, indexes, reads, steps, thread_statements
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.due_times import due_of
from fsm_agent.stores.sqlite.standing import Standing
from fsm_agent.stores.sqlite.transaction import Unit
from fsm_agent.stores.sqlite.writes import SNAPSHOT, Kept, next_agent, pinned, read_agent, unmoved

_DELETE: Final = (
    "DELETE FROM snapshot WHERE agent = ?",
    "DELETE FROM origin WHERE agent = ?",
    "DELETE FROM queue WHERE agent = ?",
    "DELETE FROM keys WHERE agent = ?",
    "DELETE FROM effects WHERE agent = ?",
)
_QUEUE: Final = "INSERT INTO queue VALUES (?, ?, ?, ?)"
_KEY: Final = "INSERT INTO keys VALUES (?, ?, ?, ?)"
_KEEP_ORIGIN: Final = "INSERT OR REPLACE INTO origin VALUES (?, ?, ?, ?)"
_KEEP_START: Final = "INSERT INTO starts VALUES (?, ?, ?, ?)"
_ADOPT: Final = """
INSERT INTO heads (agent, last_step, workflow, namespace, id, created_ms, state, status, version, updated_ms, cold,
                    due_since_ms, asks, epoch, queued, numbered, host, pid, started_ms, until_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEYS: Final = "SELECT key, version, fingerprint FROM keys WHERE agent = ?"
_START: Final = "SELECT key, fingerprint FROM starts WHERE namespace = ? AND id = ?"
#: Numbers count eight bytes each, as in ``codec.weight``.
_WEIGHTS: Final = """
SELECT (SELECT octet_length(id) + octet_length(state) + octet_length(cold) + 4 * 8 FROM heads
        WHERE namespace = ?2 AND id = ?3),
       (SELECT total(octet_length(data) + octet_length(appended_since) + 8) FROM snapshot WHERE agent = ?1)
       + (SELECT total(octet_length(data) + octet_length(head) + 8) FROM origin WHERE agent = ?1),
       (SELECT total(octet_length(event) + 8) FROM queue WHERE agent = ?1)
       + (SELECT total(octet_length(key) + octet_length(fingerprint) + 8) FROM keys WHERE agent = ?1)
       + (SELECT total(octet_length(key) + octet_length(name) + octet_length(fingerprint) + octet_length(mode) + 5 * 8
                       + ifnull(octet_length(result), 0))
          FROM effects WHERE agent = ?1)
"""


def shortening(namespace: str, seen: Head, origin: Origin) -> Unit[int]:
    row = codec.origin_row(origin)

    def shorten(db: Connection) -> int:
        now = unmoved(db, namespace, seen.id, seen)
        agent, forgotten = now.agent, steps.forget(db, now.agent, now.last_step, upto=row[0])
        db.execute(_KEEP_ORIGIN, (agent, *row))
        db.execute(SNAPSHOT, (agent, row[0], "{}", row[2]))
        db.execute("UPDATE heads SET epoch = epoch + 1 WHERE namespace = ? AND id = ?", (namespace, seen.id))
        return forgotten

    return shorten


def deleting(namespace: str, seen: Head) -> Unit[None]:
    def delete(db: Connection) -> None:
        _forget(db, namespace, seen.id, _untold(db, namespace, seen))

    return delete


def _forget(db: Connection, namespace: str, agent_id: str, known: Standing) -> None:
    head: Head | None = None
    with suppress(AgentDamaged):
        head = read_agent(db, namespace, agent_id).head
    indexes.forget(db, known.owner(namespace, agent_id), known.asks, head)
    steps.forget(db, known.agent, known.last_step)
    for statement in _DELETE:
        db.execute(statement, (known.agent,))
    thread_statements.forget(db, namespace, own_thread(agent_id))
    db.execute("DELETE FROM starts WHERE namespace = ? AND id = ?", (namespace, agent_id))
    db.execute("DELETE FROM heads WHERE namespace = ? AND id = ?", (namespace, agent_id))


def adopting(namespace: str, export: AgentExport, replaces: Head | None, url: str) -> Unit[None]:
    head = export.head
    moving, asks = codec.moving_row(head), indexes.asks_of(head)
    row = (namespace, head.id, head.created_ms, *moving, due_of(head), asks, head.epoch, head.queued)
    start, rows_of_agent = export.start, list(_rows_of(export))
    history = [codec.step_row(step) for step in export.steps]
    messages = [(message.number, codec.message_row(message)) for message in export.messages]

    def adopt(db: Connection) -> None:
        replaced = None if replaces is None else _untold(db, namespace, replaces)
        _check_free(db, namespace, head.id, start, is_replaced=replaced is not None)
        workflow = pinned(db, head, url)
        if replaced is not None:
            _forget(db, namespace, head.id, replaced)
        agent = next_agent(db)
        last_step = steps.append(db, agent, head.created_ms, history)
        db.execute(_ADOPT, (agent, last_step, workflow, *row, export.numbered, *codec.lease_row(head.lease)))
        indexes.keep_index(db, indexes.Owner(namespace, head.id, head.created_ms, workflow), head)
        for statement, kept in rows_of_agent:
            db.execute(statement, (agent, *kept))
        if head.talk.last:
            thread_statements.adopt(db, namespace, own_thread(head.id), head.talk.last, messages)
        if start:
            db.execute(_KEEP_START, (namespace, start[0], head.id, start[1]))

    return adopt


def _untold(db: Connection, namespace: str, seen: Head) -> Standing:
    """An agent that stands where ``seen`` shows it, if no event was queued since either."""
    now = unmoved(db, namespace, seen.id, seen)
    if now.queued != seen.queued:
        raise moved_on(seen.id, now.version, now.version)
    return now


def _check_free(
    db: Connection, namespace: str, agent_id: str, start: tuple[str, str] | None, *, is_replaced: bool
) -> None:
    """Raises ``AgentExists`` if the id or the key of the creation is taken by another."""
    if not is_replaced and one(db, "SELECT 1 FROM heads WHERE namespace = ? AND id = ?", namespace, agent_id):
        raise AgentExists(agent_id)
    owner = start and one(db, "SELECT id FROM starts WHERE namespace = ? AND key = ?", namespace, start[0])
    if owner and not (is_replaced and owner[0] == agent_id):
        raise AgentExists(agent_id)


def _rows_of(export: AgentExport) -> Iterator[tuple[str, Sequence[Any]]]:
    """What goes to all tables but head and history, without the number of the agent."""
    if export.snapshot:
        yield SNAPSHOT, codec.snapshot_row(export.snapshot)
    if export.origin:
        yield _KEEP_ORIGIN, codec.origin_row(export.origin)
    for queued in export.queue:
        yield _QUEUE, (queued.number, queued.event.key, codec.queued_row(queued))
    for key, outcome in export.keys.items():
        yield _KEY, (key, outcome.version, outcome.fingerprint)
    for entry in export.effects:
        yield effects.KEEP, codec.effect_row(entry)


def export(db: Connection, namespace: str, known: Kept) -> AgentExport:
    """All that is kept; raises ``AgentDamaged`` for the first part that cannot be read."""
    agent, head = known.agent, known.head
    read: dict[str, Callable[[], Any]] = {
        "heads": lambda: one(db, "SELECT numbered FROM heads WHERE namespace = ? AND id = ?", namespace, head.id),
        "steps": lambda: tuple(reads.history(db, known)),
        "snapshot": lambda: reads.snapshot(db, agent),
        "origin": lambda: reads.origin(db, agent),
        "queue": lambda: reads.queue(db, agent),
        "keys": lambda: keys_of(db, agent),
        "starts": lambda: start_of(db, namespace, head.id),
        "effects": lambda: effects.since(db, agent, 0),
        "messages": lambda: tuple(thread_statements.read(db, namespace, own_thread(head.id))),
    }
    parts: dict[str, Any] = {}
    for place, part in read.items():
        with reading(head.id, place):
            parts[place] = part()
    numbered, start = parts.pop("heads"), parts.pop("starts")
    return AgentExport(head=head, numbered=numbered[0] if numbered else 0, start=start, **parts)


def keys_of(db: Connection, agent: int) -> dict[str, KeyOutcome]:
    """What became of every key that an event used."""
    found = rows(db, _KEYS, agent)
    return {key: KeyOutcome(version, checked(str, fingerprint)) for key, version, fingerprint in found}


def start_of(db: Connection, namespace: str, agent_id: str) -> tuple[str, str] | None:
    """The key under which an agent was created, and its fingerprint."""
    row = one(db, _START, namespace, agent_id)
    return (checked(str, row[0]), checked(str, row[1])) if row else None


def size_of(db: Connection, namespace: str, known: Kept) -> Size:
    agent_id = known.head.id
    row = one(db, _WEIGHTS, known.agent, namespace, agent_id)
    assert row is not None  # noqa: S101 - sums have a row, whatever is kept
    head, snapshot, rest = map(int, row)
    with reading(agent_id, "steps"):
        count, history = steps.weight(db, known.agent, known.last_step)
    return Size(count, head, history, snapshot, rest, thread_statements.weight_of(db, namespace, own_thread(agent_id)))
