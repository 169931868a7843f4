"""Effects in SQLite: begun under the epoch that holds, ended by who began them, settled by an operator."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.stores import codec
from fsm_agent.stores.damage import reading
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.transaction import Unit
from fsm_agent.stores.sqlite.writes import standing

KEEP: Final = "INSERT OR REPLACE INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_END: Final = """
UPDATE effects SET ended_ms = ?, result = ? WHERE agent = ? AND key = ? AND epoch = ? AND ended_ms IS NULL
"""
_SETTLE: Final = "UPDATE effects SET ended_ms = ?, result = ? WHERE agent = ? AND key = ?"
_SELECT: Final = "SELECT key, activation, name, use, mode, fingerprint, epoch, begun_ms, ended_ms, result FROM effects"
_ONE: Final = f"{_SELECT} WHERE agent = ? AND key = ?"
_SINCE: Final = f"{_SELECT} WHERE agent = ? AND activation >= ? ORDER BY activation, name, use"


def beginning(namespace: str, agent_id: str, entry: EffectEntry, *, again: bool) -> Unit[EffectEntry | None]:
    """See ``Store.begin_effect``."""

    def begin_effect(db: Connection) -> EffectEntry | None:
        now = standing(db, namespace, agent_id)
        if now.epoch != entry.epoch:
            raise moved_on(agent_id, now.version, now.version)
        with reading(agent_id, "effects"):
            row = one(db, _ONE, now.agent, entry.key)
            kept = codec.effect_of(row) if row else None
        if kept is None or (again and kept.is_open):
            db.execute(KEEP, (now.agent, *codec.effect_row(entry)))
        return kept

    return begin_effect


def ending(namespace: str, agent_id: str, entry: EffectEntry) -> Unit[bool]:
    """See ``Store.end_effect``."""
    ended = codec.effect_row(entry)

    def end_effect(db: Connection) -> bool:
        agent = standing(db, namespace, agent_id).agent
        db.execute(_END, (ended.ended_ms, ended.result, agent, entry.key, entry.epoch))
        return db.changes() == 1

    return end_effect


def is_open(db: Connection, agent: int, key: str) -> bool:
    """Whether an effect was begun of which no result is known."""
    return one(db, "SELECT 1 FROM effects WHERE agent = ? AND key = ? AND ended_ms IS NULL", agent, key) is not None


def settle(db: Connection, agent: int, settlement: Settlement, now_ms: int) -> None:
    """What an operator says of an open effect."""
    if settlement.was_done:
        db.execute(_SETTLE, (now_ms, codec.encode(settlement.result), agent, settlement.key))
    else:
        db.execute("DELETE FROM effects WHERE agent = ? AND key = ?", (agent, settlement.key))


def since(db: Connection, agent: int, activation: int) -> tuple[EffectEntry, ...]:
    """Effects of an activation and later ones."""
    return tuple(codec.effect_of(row) for row in rows(db, _SINCE, agent, activation))
