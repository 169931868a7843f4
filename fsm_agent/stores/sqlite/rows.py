"""Queries that return plain rows, typed."""

from __future__ import annotations

from typing import Any, TypeAlias

from fsm_agent.stores.sqlite.connection import Connection

Row: TypeAlias = tuple[Any, ...]


def rows(db: Connection, query: str, *values: Any) -> list[Row]:
    """All rows of ``query``."""
    return db.at_hand.execute(query, values).fetchall()


def one(db: Connection, query: str, *values: Any) -> Row | None:
    """The only row of ``query``, if there is one. Runs it to its end, so that nothing keeps a COMMIT from passing."""
    found = rows(db, query, *values)
    return found[0] if found else None
