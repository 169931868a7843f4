"""What is wrong in a file beneath the agents: where no verb looks that reads one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import apsw

from fsm_agent.domain.record import Damage
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNREADABLE
from fsm_agent.stores.sqlite import reindex
from fsm_agent.stores.sqlite.connection import Connection, rows

#: table -> the column by which its rows belong to an agent, by its number
_OF_AGENTS: Final = dict.fromkeys(("snapshot", "origin", "queue", "keys", "effects", "steps"), "agent")
#: table -> the column that names a row of a table with a column ``namespace``
_NAMED: Final = {
    "heads": "id",
    "questions": "id",
    "labels": "id",
    "starts": "key",
    "thread_names": "name",
    "user_records": "name",
}
#: Of them those whose rows follow from heads.
_INDEXES: Final = ("questions", "labels")
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "INTEGER": frozenset({"integer"}),
    "TEXT": frozenset({"text"}),
    "BLOB": frozenset({"blob"}),
    "ANY": frozenset({"text", "blob"}),
}
#: What ``PRAGMA integrity_check`` says of a value of another type than was declared; whose it is, it does not say.
_TYPED: Final = " value in "
_SHARED: Final = ""


class _Known(NamedTuple):
    """Numbers by which tables know agents: those of this namespace with their ids, and all."""

    ids: Mapping[int, str]
    every: frozenset[int]


def inspect(db: Connection, namespace: str) -> Iterator[Damage]:
    """See ``Store.inspect``."""
    yield from _file(db)
    known = _agents(db, namespace)
    for table in (*_NAMED, *_OF_AGENTS, "definitions", "messages", "numbers"):
        try:
            yield from _values(db, namespace, table, known)
        except apsw.Error as error:
            yield Damage(_SHARED, table, f"it cannot be read ({error})")
    yield from _numbers(db, namespace)
    yield from _definitions(db)
    yield from _leases(db, namespace)
    for each in reindex.differences(db, namespace):
        yield each.damage


def _file(db: Connection) -> Iterator[Damage]:
    try:
        for (line,) in db.execute("PRAGMA integrity_check(1000)"):
            if line != "ok" and _TYPED not in line:
                yield Damage(_SHARED, "the file", line)
    except apsw.Error as error:
        yield Damage(_SHARED, "the file", str(error))


def _agents(db: Connection, namespace: str) -> _Known:
    ids, every = {}, set()
    for number, space, agent_id in rows(db, "SELECT agent, CAST(namespace AS BLOB), CAST(id AS BLOB) FROM heads"):
        every.add(number)
        if space == namespace.encode():
            ids[number] = _text(agent_id)
    return _Known(ids, frozenset(every))


def _values(db: Connection, namespace: str, table: str, known: _Known) -> Iterator[Damage]:
    """Values of another type than their columns', texts that are none, rows that are nobody's."""
    columns = rows(db, 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', table)
    texts = ", ".join(
        f"typeof({name}), iif(typeof({name}) = 'text', CAST({name} AS BLOB), NULL)" for name, *_ in columns
    )
    owner = _OF_AGENTS.get(table) or _NAMED.get(table) or {"messages": "thread"}.get(table, "1")
    space = "iif(typeof(namespace) = 'text', CAST(namespace AS BLOB), NULL)" if table in _NAMED else "NULL"
    threads = {number for (number,) in rows(db, "SELECT thread FROM thread_names")} if table == "messages" else set()
    query = f"SELECT {_as_bytes(owner)}, {space}, {texts} FROM {table}"  # noqa: S608 - names of ours alone
    for whose, within, *kept in db.execute(query):
        if isinstance(within, bytes) and _is_text(within) and within != namespace.encode():
            continue
        if table in _OF_AGENTS and whose in known.every and whose not in known.ids:
            continue
        if (table in _OF_AGENTS and whose not in known.every) or (table == "messages" and whose not in threads):
            what = "thread" if table == "messages" else "agent"
            yield Damage(_SHARED, table, f"there are rows of {what} number {whose!r}, and no such {what} is kept")
            continue
        agent_id = _owner(table, whose, known)
        for (name, declared, is_needed, key), (kind, text) in zip(columns, _pairs(kept), strict=True):
            may_miss = not is_needed and not (key and declared == "INTEGER")
            if kind not in _TYPES.get(declared, _TYPES["ANY"]) and not (kind == "null" and may_miss):
                what = f"its {name} is of type {kind} where {declared} should be"
                yield Damage(agent_id, table, what, is_index=_is_index(table, name))
            elif text is not None and not _is_text(text):
                yield Damage(agent_id, table, f"its {name} is no UTF-8 text", is_index=_is_index(table, name))


def _is_index(table: str, column: str) -> bool:
    """Whether it follows from heads; a row of no namespace is nobody's."""
    return (table in _INDEXES and column != "namespace") or (table, column) == ("heads", "asks")


def _owner(table: str, whose: object, known: _Known) -> str:
    """The id of the agent that a row is of; empty for no agent's."""
    if table == "heads" or table in _INDEXES:
        return _text(whose) if isinstance(whose, bytes) else repr(whose)
    return known.ids.get(whose, _SHARED) if table in _OF_AGENTS and isinstance(whose, int) else _SHARED


def _numbers(db: Connection, namespace: str) -> Iterator[Damage]:
    """What counts rows of other tables, or names them."""
    for agent_id, queued, numbered, found, last in rows(db, _QUEUES, namespace):
        if queued != found:
            yield Damage(_text(agent_id), "queue", f"{found} events are kept, and the head says {queued}")
        if isinstance(last, int) and isinstance(numbered, int) and last > numbered:
            yield Damage(_text(agent_id), "heads", f"its numbered is {numbered}, and event {last} is queued")
    for agent_id, count in rows(db, _DOUBLE, namespace):
        yield Damage(_text(agent_id), "heads", f"its number is that of {count} agents")
    for query, damage in _CHECKS:
        if rows(db, query):
            yield damage
    for key, agent_id in rows(db, _STRAY_STARTS, namespace):
        what = f"the key {_text(key)!r} leads to agent {_text(agent_id)!r}, and there is no such agent"
        yield Damage(_SHARED, "starts", what)


_QUEUES: Final = """
SELECT CAST(id AS BLOB), queued, numbered, count(number), max(number) FROM heads LEFT JOIN queue USING (agent)
WHERE namespace = ? GROUP BY namespace, id
"""
_DOUBLE: Final = """
SELECT CAST(id AS BLOB), found FROM heads
JOIN (SELECT agent, count(*) AS found FROM heads GROUP BY agent HAVING count(*) > 1) USING (agent) WHERE namespace = ?
"""
_STRAY_STARTS: Final = """
SELECT CAST(key AS BLOB), CAST(id AS BLOB) FROM starts
WHERE namespace = ?1 AND id NOT IN (SELECT id FROM heads WHERE namespace = ?1)
"""
#: queries that find nothing in a sound file
_CHECKS: Final = (
    (
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE number = 1 AND last >= (SELECT max(agent) FROM heads))"
        " AND EXISTS (SELECT 1 FROM heads)",
        Damage(_SHARED, "numbers", "the number for the next agent is one that an agent has, or is gone"),
    ),
    (
        "SELECT 1 FROM thread_names JOIN messages USING (thread) GROUP BY thread, last HAVING max(number) > last",
        Damage(_SHARED, "thread_names", "a thread has messages beyond its last number"),
    ),
)


def _definitions(db: Connection) -> Iterator[Damage]:
    """Whether the name and the version beside a definition are its own; the rest is looked at by those who read it."""
    for known_by, name, version, text in rows(db, _BESIDES):
        if not _is_beside_its_own(text, name, version):
            what = f"the name or the version beside definition {_text(known_by)!r} is not its own"
            yield Damage(_SHARED, "definitions", what)


def _is_beside_its_own(text: object, name: object, version: object) -> bool:
    """True as well if the definition cannot be read, which is said elsewhere."""
    try:
        definition = codec.decode(_text(text))
        return (definition["workflow"], definition["version"]) == (_text(name), version)
    except UNREADABLE:
        return True


_BESIDES: Final = """
SELECT CAST(hash AS BLOB), CAST(name AS BLOB), version, CAST(definition AS BLOB) FROM definitions
"""


def _leases(db: Connection, namespace: str) -> Iterator[Damage]:
    for (agent_id,) in rows(db, _PARTED, namespace):
        yield Damage(_text(agent_id), "heads", "its lease is there in part")


_PARTED: Final = """
SELECT CAST(id AS BLOB) FROM heads WHERE namespace = ?
AND (host IS NULL) + (pid IS NULL) + (started_ms IS NULL) + (until_ms IS NULL) NOT IN (0, 4)
"""


def _pairs(flat: list[object]) -> Iterator[tuple[str, bytes | None]]:
    return zip(flat[::2], flat[1::2], strict=True)  # type: ignore[arg-type]


def _as_bytes(column: str) -> str:
    return f"iif(typeof({column}) = 'text', CAST({column} AS BLOB), {column})"


def _is_text(kept: bytes) -> bool:
    try:
        kept.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(kept: object) -> str:
    return kept.decode("utf-8", "surrogateescape") if isinstance(kept, bytes) else repr(kept)
