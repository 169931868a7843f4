"""Queries that return plain rows, typed."""

from __future__ import annotations

from typing import Any, TypeAlias

import apsw

Row: TypeAlias = tuple[Any, ...]


def rows(db: apsw.Connection, query: str, *values: Any) -> list[Row]:
    """All rows of ``query``."""
    return db.execute(query, values).fetchall()


def one(db: apsw.Connection, query: str, *values: Any) -> Row | None:
    """The only row of ``query``, if there is one. Runs it to its end, so that nothing keeps a COMMIT from passing."""
    found = rows(db, query, *values)
    return found[0] if found else None
