"""A connection to the file, as every part of this room wants it, and its rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import apsw

Row: TypeAlias = tuple[Any, ...]


class Connection(apsw.Connection):
    """One with a cursor at hand. ``execute`` makes a new one for every statement, which costs a microsecond each:
    too much for what runs at every step. Whoever uses it reads all its rows before anybody else does."""

    at_hand: apsw.Cursor

    def __init__(self, *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self.at_hand = self.cursor()


def connect(path: str, *, busy_ms: int) -> Connection:
    """A connection that syncs every commit, and waits up to ``busy_ms`` for other processes."""
    db = Connection(path)
    db.set_busy_timeout(busy_ms)
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # or a query is planned anew for every value that is bound to it
    db.execute("PRAGMA synchronous = FULL")
    return db


def rows(db: Connection, query: str, *values: Any) -> list[Row]:
    """All rows of ``query``."""
    return db.at_hand.execute(query, values).fetchall()


def one(db: Connection, query: str, *values: Any) -> Row | None:
    """The only row of ``query``, if there is one. Runs it to its end, so that nothing keeps a COMMIT from passing."""
    found = rows(db, query, *values)
    return found[0] if found else None
