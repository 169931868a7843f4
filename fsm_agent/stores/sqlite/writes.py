"""The verbs that write, but for ``commits`` and ``whole``, as units for the writer.

Making a unit encodes all that it will write: what cannot be encoded fails here, and nothing is aliased. Running it
starts with the compare-and-set: it reads where the agent stands, which nobody can change under the write lock that
every transaction takes first, and raises before it has written anything. So a refused unit needs no savepoint.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Creation, Snapshot
from fsm_agent.domain.step import Event
from fsm_agent.domain.tuples import from_fields
from fsm_agent.errors import AgentDamaged, AgentExists, AgentNotFound, DefinitionMissing
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNPINNED, UNREADABLE, checked, damaged
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.sqlite import steps
from fsm_agent.stores.sqlite.connection import Connection, one
from fsm_agent.stores.sqlite.due_times import due_of, due_since_ms
from fsm_agent.stores.sqlite.indexes import Owner, asks_of, keep_index
from fsm_agent.stores.sqlite.standing import Standing
from fsm_agent.stores.sqlite.transaction import Unit

#: The namespace that is kept as empty text.
DEFAULT: Final = "default"

#: The number of an agent, that of its last step, and the columns of ``codec.head_of``.
KEPT: Final = """
agent, last_step, heads.id, name, definitions.version, hash, heads.created_ms, state, status, heads.version, updated_ms,
cold, epoch, queued, host, pid, started_ms, until_ms
"""
ID: Final = 2
#: An agent whose definition is gone is found all the same: it must not look as if it were gone, too.
SELECT_HEAD: Final = f"SELECT {KEPT} FROM heads LEFT JOIN definitions USING (workflow)"  # noqa: S608 - no value in it
#: And its snapshot, where there is one: one query for what every event begins with.
_HEAD_AND_SNAPSHOT: Final = f"""
SELECT {KEPT}, snapshot.version, appended_since, data
FROM heads LEFT JOIN definitions USING (workflow) LEFT JOIN snapshot USING (agent) WHERE namespace = ? AND id = ?
"""  # noqa: S608 - no value is part of it
_STANDING: Final = """
SELECT agent, last_step, workflow, created_ms, status, version, epoch, queued, numbered, due_since_ms,
       CAST(asks AS BLOB), host, pid, started_ms, until_ms
FROM heads WHERE namespace = ? AND id = ?
"""
_SAVE_WORKFLOW: Final = """
INSERT INTO definitions (hash, name, version, definition) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_CREATE: Final = """
INSERT INTO heads (agent, last_step, workflow, namespace, id, created_ms, state, status, version, updated_ms, cold,
                    due_since_ms, asks, host, pid, started_ms, until_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ENQUEUE: Final = "UPDATE heads SET queued = ?, numbered = ?, due_since_ms = ? WHERE namespace = ? AND id = ?"
_ATTEMPT: Final = "UPDATE heads SET cold = ?, due_since_ms = ? WHERE namespace = ? AND id = ?"
SNAPSHOT: Final = "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)"


class Kept(NamedTuple):
    """An agent as it is kept: the number by which other tables know it, its last step, and its head."""

    agent: int
    last_step: int
    head: Head


def kept_of(row: Sequence[Any]) -> Kept:
    """The head in a row of ``SELECT_HEAD``; raises ``AgentDamaged``."""
    try:
        return Kept(checked(int, row[0]), checked(int, row[1]), codec.head_of(row[2:]))
    except UNREADABLE as error:
        if row[5] is None:
            raise AgentDamaged(str(row[2]), "definitions", UNPINNED) from error
        raise damaged(str(row[2]), "heads", error) from error


def read_agent(db: Connection, namespace: str, agent_id: str) -> Kept:
    try:
        row = one(db, f"{SELECT_HEAD} WHERE namespace = ? AND id = ?", namespace, agent_id)
    except UnicodeDecodeError as error:
        raise damaged(agent_id, "heads", error) from error
    if row is None:
        raise _unknown(namespace, agent_id)
    return kept_of(row)


def read_with_snapshot(db: Connection, namespace: str, agent_id: str) -> tuple[Kept, Snapshot | None]:
    try:
        row = one(db, _HEAD_AND_SNAPSHOT, namespace, agent_id)
    except UnicodeDecodeError as error:
        read_agent(db, namespace, agent_id)  # says so, if it is that one
        raise damaged(agent_id, "snapshot", error) from error
    if row is None:
        raise _unknown(namespace, agent_id)
    *kept, version, appended_since, data = row
    known = kept_of(kept)
    if version is data is appended_since is None:
        return known, None
    try:
        return known, codec.snapshot_of((version, appended_since, data))
    except UNREADABLE as error:
        raise damaged(agent_id, "snapshot", error) from error


def saving_workflow(definition_hash: str, definition: Mapping[str, Json]) -> Unit[None]:
    row = (definition_hash, definition["workflow"], definition["version"], codec.encode(definition))

    def save_workflow(db: Connection) -> None:
        db.execute(_SAVE_WORKFLOW, row)

    return save_workflow


def creating(namespace: str, creation: Creation, url: str) -> Unit[Head]:
    head, key = creation.head, creation.key
    lease = codec.lease_row(creation.lease)
    moving, asks = codec.moving_row(head), asks_of(head)
    due_ms = due_since_ms(head.own_wake_ms, head.updated_ms, lease[-1])
    row = (namespace, head.id, head.created_ms, *moving, due_ms, asks, *lease)
    first_steps = [codec.step_row(step) for step in creation.steps]

    def create(db: Connection) -> Head:
        if one(db, "SELECT 1 FROM heads WHERE namespace = ? AND id = ?", namespace, head.id):
            raise AgentExists(head.id)
        if key is not None and one(db, "SELECT 1 FROM starts WHERE namespace = ? AND key = ?", namespace, key):
            raise AgentExists(head.id)
        workflow = pinned(db, head, url)
        agent = next_agent(db)
        last_step = steps.append(db, agent, head.created_ms, first_steps)
        db.execute(_CREATE, (agent, last_step, workflow, *row))
        keep_index(db, Owner(namespace, head.id, head.created_ms, workflow), head)
        if key is not None:
            db.execute("INSERT INTO starts VALUES (?, ?, ?, ?)", (namespace, key, head.id, creation.fingerprint))
        return read_agent(db, namespace, head.id).head

    return create


def enqueuing(namespace: str, agent_id: str, version: int | None, event: Event, fingerprint: str) -> Unit[int]:
    text = codec.event_text(event)

    def enqueue(db: Connection) -> int:
        now = standing(db, namespace, agent_id)
        expected = now.version if version is None else version
        if now.version != expected or is_used(db, now.agent, event.key):
            raise moved_on(agent_id, expected, now.version)
        queued, number = now.queued + 1, now.numbered + 1
        head = read_agent(db, namespace, agent_id).head._replace(queued=queued)
        db.execute(_ENQUEUE, (queued, number, due_of(head), namespace, agent_id))
        row = (now.agent, number, event.key, codec.queued_text(text, now.version))
        db.execute("INSERT INTO queue VALUES (?, ?, ?, ?)", row)
        if event.key is not None:
            use_key(db, now.agent, event.key, None, fingerprint)
        return queued

    return enqueue


def recording_attempt(namespace: str, agent_id: str, epoch: int, note: Callable[[Head], Head]) -> Unit[None]:
    def record_attempt(db: Connection) -> None:
        head = read_agent(db, namespace, agent_id).head
        if head.epoch != epoch:
            raise moved_on(agent_id, head.version, head.version)
        tried = note(head)
        db.execute(_ATTEMPT, (codec.moving_row(tried).cold, due_of(tried), namespace, agent_id))

    return record_attempt


def standing(db: Connection, namespace: str, agent_id: str) -> Standing:
    row = one(db, _STANDING, namespace, agent_id)
    if row is None:
        raise _unknown(namespace, agent_id)
    lease: codec.LeaseRow = row[-4:]
    return from_fields(Standing, (*row[:-4], lease))


def unmoved(db: Connection, namespace: str, agent_id: str, seen: Head) -> Standing:
    """Where an agent stands, if that is what ``seen`` shows; raises ``Conflict`` otherwise."""
    now = standing(db, namespace, agent_id)
    if (now.version, now.epoch, now.lease) != (seen.version, seen.epoch, codec.lease_row(seen.lease)):
        raise moved_on(agent_id, seen.version, now.version)
    return now


def pinned(db: Connection, head: Head, url: str) -> int:
    """The number of the definition of ``head``; raises ``StoreCorrupt`` if it is not kept."""
    row = one(db, "SELECT workflow FROM definitions WHERE hash = ?", head.definition)
    if row is None:
        raise DefinitionMissing(url, head.definition)
    return int(row[0])


def next_agent(db: Connection) -> int:
    """A number for a new agent."""
    return int(db.execute("UPDATE numbers SET last = last + 1 WHERE number = 1 RETURNING last").get)


def is_used(db: Connection, agent: int, key: str | None) -> bool:
    """Whether an event of this key has come to the agent already."""
    return key is not None and one(db, "SELECT 1 FROM keys WHERE agent = ? AND key = ?", agent, key) is not None


def use_key(db: Connection, agent: int, key: str, version: int | None, fingerprint: str) -> None:
    """Keep where a key led: ``None`` while its event is queued."""
    db.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (agent, key, version, fingerprint))


def _unknown(namespace: str, agent_id: str) -> AgentNotFound:
    return AgentNotFound(agent_id, namespace or DEFAULT)
