"""Heads of many agents, read past those that are damaged.

An id that is no text is told with its bytes escaped, as Python escapes them, and a page goes on after it like after any
other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage
from fsm_agent.stores.damage import damage_of, damaged, readable
from fsm_agent.stores.sqlite import writes
from fsm_agent.stores.sqlite.connection import Connection, Row, rows
from fsm_agent.stores.sqlite.due_times import longest_due

_HELD: Final = "FROM heads LEFT JOIN definitions USING (workflow) WHERE namespace = ? AND host = ?"
#: by the index of those that are held, which are few, and not by namespace, which all are in
_LAPSED: Final = """
FROM heads INDEXED BY held LEFT JOIN definitions USING (workflow)
WHERE namespace = ? AND host >= '' AND until_ms <= ? LIMIT ?
"""
_DUE: Final = longest_due()
_DUE_AS_BYTES: Final = f"SELECT CAST(id AS BLOB) FROM ({longest_due()})"  # noqa: S608 - no value is part of it

_WITH: Final = """
SELECT CAST(id AS BLOB) FROM heads
WHERE namespace = ?1 AND (substr(id, 1, ?3) = ?2 OR substr(id, -?3) = ?2)
ORDER BY id LIMIT ?4
"""

Seen = Callable[[Row], Head]


def held(db: Connection, namespace: str, seen: Seen, host: str) -> Sequence[Head]:
    """See ``Store.held_here``."""
    return _readable(db, namespace, seen, _HELD, host)


def lapsed(db: Connection, namespace: str, seen: Seen, now_ms: int, limit: int) -> Sequence[Head]:
    """See ``Store.lapsed``."""
    return _readable(db, namespace, seen, _LAPSED, now_ms, limit)


def due(db: Connection, namespace: str, now_ms: int, limit: int) -> Sequence[str]:
    """See ``Store.due``. Whoever has an id that is no text is left out: nobody could drive such an agent."""
    wanted = {"namespace": namespace, "now_ms": now_ms, "limit": limit}
    try:
        return [agent_id for (agent_id,) in _rows(db, _DUE, wanted)]
    except UnicodeDecodeError:
        ids = [_text(each) for (each,) in _rows(db, _DUE_AS_BYTES, wanted)]
        return [agent_id for agent_id in ids if agent_id.isascii() or _is_text(agent_id)]


def _rows(db: Connection, query: str, values: dict[str, Any]) -> list[Row]:
    return db.at_hand.execute(query, values).fetchall()


def ids_with(db: Connection, namespace: str, part: str, limit: int) -> Sequence[str]:
    """See ``Store.find_ids``. An id that is no text cannot be typed."""
    return [_text(each) for (each,) in rows(db, _WITH, namespace, part, len(part), limit)]


def _readable(db: Connection, namespace: str, seen: Seen, of: str, *wanted: str | int) -> Sequence[Head]:
    try:
        return list(readable(rows(db, f"SELECT {writes.KEPT} {of}", namespace, *wanted), seen, []))
    except UnicodeDecodeError:
        ids = [_text(each) for (each,) in rows(db, f"SELECT CAST(id AS BLOB) {of}", namespace, *wanted)]
        return _one_by_one(db, namespace, ids, seen, [])


def _one_by_one(db: Connection, namespace: str, ids: Sequence[str], seen: Seen, damage: list[Damage]) -> list[Head]:
    heads: list[Head] = []
    for agent_id in ids:
        try:
            query = f"{writes.SELECT_HEAD} WHERE namespace = ? AND id = CAST(? AS TEXT)"
            heads += readable(rows(db, query, namespace, _bytes(agent_id)), seen, damage)
        except UnicodeDecodeError as error:
            damage.append(damage_of(damaged(agent_id, "heads", error)))
    return heads


def _is_text(agent_id: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in agent_id)


def _text(kept: bytes) -> str:
    return kept.decode("utf-8", "surrogateescape")


def _bytes(agent_id: str) -> bytes:
    return agent_id.encode("utf-8", "surrogateescape")
