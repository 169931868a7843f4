"""When an agent is due: ``heads.due_since_ms``, and the index of it.

The column is null if it never is, and above 0 the time from when on it is. One that is due at once has minus the time
of its last step there, since when it waits for somebody; or 0 while it has a lease, so that its steps change no index.

The index is of that or of the end of the lease, whichever is later. So it has three parts: below 0 who is due at once
by any clock, the longest last; from 0 to now who has become due; and beyond now who is due later or held, where nobody
looks.
"""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.agent import Head

#: What the index ``due`` is of, word for word.
_PLACE: Final = "ifnull(max(due_since_ms, until_ms), due_since_ms)"
#: The ids of the longest due, each part read no further than it is needed. ``wanted`` is a condition.
_LONGEST: Final = f"""
SELECT id FROM (
    SELECT * FROM (
        SELECT id, -{_PLACE} AS since_ms FROM heads INDEXED BY due
        WHERE namespace = :namespace AND due_since_ms IS NOT NULL AND {_PLACE} < 0{{wanted}}
        ORDER BY {_PLACE} DESC LIMIT :limit)
    UNION ALL SELECT * FROM (
        SELECT id, {_PLACE} FROM heads INDEXED BY due
        WHERE namespace = :namespace AND due_since_ms IS NOT NULL AND {_PLACE} BETWEEN 0 AND :now_ms{{wanted}}
        ORDER BY {_PLACE} LIMIT :limit))
ORDER BY since_ms LIMIT :limit
"""  # noqa: S608 - no value is part of it


def due_since_ms(wake_ms: int | None, updated_ms: int, until_ms: int | None) -> int | None:
    """The column, of a head that needs somebody then and whose last step was then, and the end of its lease."""
    return wake_ms if wake_ms != 0 or until_ms is not None else -updated_ms


def due_of(head: Head) -> int | None:
    """The column, of a head with all that is the store's own."""
    return due_since_ms(head.wake_ms, head.updated_ms, head.lease.until_ms if head.lease else None)


def under_lease(until_ms: str) -> str:
    """The column after the lease has changed, which ends then, or is none if that is null."""
    return f"CASE WHEN due_since_ms <= 0 THEN iif({until_ms} IS NULL, -updated_ms, 0) ELSE due_since_ms END"


def longest_due(wanted: str = "") -> str:
    """The query for their ids, the longest due first; ``wanted`` is a condition that begins with AND."""
    return _LONGEST.format(wanted=wanted)
