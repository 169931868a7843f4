"""Threads and users in SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from fsm_agent.domain.message import Message
from fsm_agent.domain.record import Commit
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import UserConflict
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.schema import refuse_upgraded
from fsm_agent.stores.sqlite.transaction import Unit

#: Messages with their numbers, as they are kept.
Numbered = Iterable[tuple[int, codec.MessageRow]]

_NUMBER: Final = """
INSERT INTO thread_names (namespace, name, last) VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET last = last + ?3 RETURNING thread, last
"""
_KEEP: Final = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REVISE: Final = """
UPDATE messages SET role = ?3, at_ms = ?4, tokens = ?5, covers = ?6, by = ?7, content = ?8, parts = ?9
WHERE thread = ?1 AND number = ?2
"""
_THREADS: Final = """
SELECT CAST(name AS BLOB) FROM thread_names
WHERE namespace = CAST(? AS TEXT) AND name > CAST(? AS TEXT) AND name NOT LIKE '@%' ORDER BY name LIMIT ?
"""
_USERS: Final = """
SELECT CAST(name AS BLOB) FROM user_records WHERE namespace = CAST(? AS TEXT) AND name > CAST(? AS TEXT)
ORDER BY name LIMIT ?
"""
_THREAD: Final = "SELECT thread FROM thread_names WHERE namespace = ? AND name = ?"
_RANGE: Final = """
SELECT number, role, at_ms, tokens, covers, by, content, parts FROM messages
WHERE thread = ? AND number > ? AND number <= ? ORDER BY number {order} LIMIT ?
"""
_OLDEST: Final = _RANGE.format(order="ASC")
_NEWEST: Final = _RANGE.format(order="DESC")
_WEIGHT: Final = """
SELECT total(octet_length(content) + ifnull(octet_length(parts), 0) + ifnull(octet_length(by), 0) + 4 * 8)
FROM messages WHERE thread = ?
"""
#: how SQLite says "as many as there are", and the largest number
_ALL: Final = -1
_LAST: Final = 2**63 - 1


def add(db: Connection, namespace: str, name: str, added: Sequence[codec.MessageRow]) -> int:
    """Put messages at the end of a thread; returns the number of the last."""
    row = one(db, _NUMBER, namespace, name, len(added))
    assert row is not None  # noqa: S101 - an insert that returns
    thread, last = row
    first = last - len(added) + 1
    db.executemany(_KEEP, [(thread, number, *row) for number, row in enumerate(added, start=first)])
    return int(last)


class ThreadWrites:
    """What a step adds to threads and remembers of its user, made into rows before anything is written."""

    __slots__ = ("_added", "_namespace", "_user", "_user_row")

    def __init__(self, namespace: str, commit: Commit) -> None:
        self._namespace = namespace
        self._added = [(each.thread, codec.message_rows(each.messages)) for each in commit.said]
        self._user = commit.user
        self._user_row = codec.user_row(commit.user) if commit.user else None

    def check(self, db: Connection) -> None:
        """Raises ``UserConflict`` if the user is not as the step has seen it."""
        if self._added or self._user is not None:
            refuse_upgraded(db)
        if self._user is not None:
            check_user(db, self._namespace, self._user)

    def keep(self, db: Connection) -> None:
        for name, added in self._added:
            add(db, self._namespace, name, added)
        if self._user is not None and self._user_row is not None:
            keep_user(db, self._namespace, self._user.name, self._user_row)


def appending(namespace: str, name: str, messages: Sequence[Message]) -> Unit[int]:
    added = codec.message_rows(messages)

    def append(db: Connection) -> int:
        return add(db, namespace, name, added)

    return append


def revising(namespace: str, name: str, messages: Sequence[Message]) -> Unit[int]:
    revised = list(zip([message.number for message in messages], codec.message_rows(messages), strict=True))

    def revise(db: Connection) -> int:
        thread, count = thread_of(db, namespace, name), 0
        for number, row in revised:
            db.execute(_REVISE, (thread, number, *row))
            count += db.changes()
        return count

    return revise


def retracting(namespace: str, name: str, after: int, upto: int | None) -> Unit[int]:
    def retract(db: Connection) -> int:
        last = _LAST if upto is None else upto
        bounds = (thread_of(db, namespace, name), after, last)
        db.execute("DELETE FROM messages WHERE thread = ? AND number > ? AND number <= ?", bounds)
        return db.changes()

    return retract


def adopt(db: Connection, namespace: str, name: str, last: int, kept: Numbered) -> None:
    """Keep a thread as another store kept it."""
    row = one(db, _NUMBER, namespace, name, last)
    assert row is not None  # noqa: S101 - an insert that returns
    db.executemany(_KEEP, [(row[0], number, *each) for number, each in kept])


def forget(db: Connection, namespace: str, name: str) -> None:
    """Forget a thread, its numbers included."""
    thread = thread_of(db, namespace, name)
    db.execute("DELETE FROM messages WHERE thread = ?", (thread,))
    db.execute("DELETE FROM thread_names WHERE thread = ?", (thread,))


def read(
    db: Connection,
    namespace: str,
    name: str,
    *,
    after: int = 0,
    upto: int | None = None,
    limit: int | None = None,
    newest: bool = False,
) -> list[Message]:
    bounds: tuple[Any, ...] = (after, _LAST if upto is None else upto, _ALL if limit is None else limit)
    found = rows(db, _NEWEST if newest else _OLDEST, thread_of(db, namespace, name), *bounds)
    messages = [codec.message_of(number, row) for number, *row in found]
    return messages[::-1] if newest else messages


def thread_of(db: Connection, namespace: str, name: str) -> int:
    """The number of a thread; 0, which none has, if there is no such thread."""
    row = one(db, _THREAD, namespace, name)
    return int(row[0]) if row else 0


def weight_of(db: Connection, namespace: str, name: str) -> int:
    row = one(db, _WEIGHT, thread_of(db, namespace, name))
    return int(row[0]) if row else 0


def names(db: Connection, namespace: str, limit: int, after: str | None) -> list[str]:
    """Threads that are no agent's own."""
    query = (
        "SELECT name FROM thread_names WHERE namespace = ? AND name > ? AND name NOT LIKE '@%' ORDER BY name LIMIT ?"
    )
    return [name for (name,) in rows(db, query, namespace, after or "", limit)]


def user(db: Connection, namespace: str, name: str) -> UserRecord:
    row = one(
        db, "SELECT version, updated_ms, data FROM user_records WHERE namespace = ? AND name = ?", namespace, name
    )
    return codec.user_of(name, row) if row else UserRecord(name)


def users(db: Connection, namespace: str, limit: int, after: str | None) -> list[str]:
    return names_of(db, _USERS, namespace, after or "", limit)


def names_of(db: Connection, query: str, *values: str | int) -> list[str]:
    """Names in order. One that is no text is told with its bytes escaped, and stands in nobody's way."""
    told = (value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value for value in values)
    return [name.decode("utf-8", "surrogateescape") for (name,) in rows(db, query, *told)]


def check_user(db: Connection, namespace: str, record: UserRecord) -> None:
    """Raises ``UserConflict`` unless a user is at the version before this one."""
    row = one(db, "SELECT version FROM user_records WHERE namespace = ? AND name = ?", namespace, record.name)
    version = row[0] if row else 0
    if version != record.version - 1:
        raise UserConflict(record.name, record.version - 1, version)


def keep_user(db: Connection, namespace: str, name: str, row: tuple[int, int, str]) -> None:
    db.execute("INSERT OR REPLACE INTO user_records VALUES (?, ?, ?, ?, ?)", (namespace, name, *row))


def saving_user(namespace: str, record: UserRecord) -> Unit[None]:
    row = codec.user_row(record)

    def save_user(db: Connection) -> None:
        check_user(db, namespace, record)
        keep_user(db, namespace, record.name, row)

    return save_user
