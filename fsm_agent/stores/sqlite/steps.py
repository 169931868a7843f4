"""The steps of an agent: a chain, each naming the one before it.

All agents' steps stand in one table in order of commit, so that what a hundred agents do at once is written at its
end. An index over (agent, version) would be written all over the place at every step; it cost a third of a group
commit. Instead a head names its last step, a step the one before, and every eighth is in an index. So a page
anywhere in a long history is found with one look there and at most seven steps that are read in vain.

A chain ends where the number that is named is another agent's, or not lower: what had it was forgotten, and SQLite
gives the number of a forgotten last row to the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from fsm_agent.domain.step import Step
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.packed import pack, unpack

_DELTA: Final = codec.StepRow._fields.index("delta")

#: No step: what the first one names.
NONE: Final = 0

#: All columns in their order; of the two times one is when the agent was created.
_INSERT: Final = "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ? - ?, ?, ?, ?, ?, ?, ?, ?)"
#: The steps of agent ?1 from step ?2 on back to those above version ?3.
_CHAIN: Final = """
WITH RECURSIVE chain (step, version, previous) AS (
    SELECT step, version, previous FROM steps WHERE step = ?2 AND agent = ?1 AND version > ?3
    UNION ALL
    SELECT steps.step, steps.version, steps.previous FROM chain JOIN steps ON steps.step = chain.previous
    WHERE steps.agent = ?1 AND steps.version > ?3 AND steps.step < chain.step
)
"""
#: ?4 is when the agent was created, ?5 the last version to be read.
_READ: Final = f"""
{_CHAIN}
SELECT version, kind, event, source, target, ?4 + after_ms, by, duration_ms, reason, append, payload, delta, used
FROM chain JOIN steps USING (step, version) WHERE version <= ?5
"""  # noqa: S608 - no value is part of it
#: Of steps that the snapshot covers (?5), only appended items are read: what stands after them may be big.
_TAIL: Final = f"""
{_CHAIN}
SELECT version, kind, event, source, target, ?4 + after_ms, by, duration_ms, reason, append,
       iif(version > ?5, payload, NULL), iif(version > ?5, delta, NULL), iif(version > ?5, used, NULL)
FROM chain JOIN steps USING (step, version) WHERE version > ?5 OR append IS NOT NULL OR version = ?3 + 1
"""  # noqa: S608 - no value is part of it
#: The first step of the index at or after version ?2 of agent ?1.
_MILESTONE: Final = """
SELECT step FROM steps WHERE agent = ?1 AND version >= ?2 AND version % 8 = 0 ORDER BY version LIMIT 1
"""
#: Numbers count eight bytes each, as in ``codec.weight``, and packed texts as in ``_PACKED``.
_WEIGHT: Final = f"""
{_CHAIN}
SELECT count(*), total(octet_length(event) + ifnull(octet_length(source), 0) + octet_length(target) + 4 * 8
                       + ifnull(octet_length(by), 0) + ifnull(octet_length(reason), 0)
                       + ifnull(octet_length(append), 0) + ifnull(octet_length(payload), 0)
                       + iif(typeof(delta) = 'text', octet_length(delta), 0) + ifnull(octet_length(used), 0))
FROM chain JOIN steps USING (step, version)
"""  # noqa: S608 - no value is part of it
_PACKED: Final = f"""
{_CHAIN}
SELECT delta FROM chain JOIN steps USING (step, version) WHERE typeof(delta) = 'blob'
"""  # noqa: S608 - no value is part of it
#: Of agent ?1, all steps back from ?2 up to version ?4.
_FORGET: Final = f"""
DELETE FROM steps WHERE step IN ({_CHAIN} SELECT step FROM chain WHERE version <= ?4)
"""  # noqa: S608 - no value is part of it
_EVERY: Final = 2**63 - 1


def append(db: Connection, agent: int, created_ms: int, added: Sequence[codec.StepRow]) -> int:
    """Write the first steps of an agent; returns the number of the last."""
    row = one(db, "SELECT ifnull(max(step), 0) FROM steps")
    assert row is not None  # noqa: S101 - an aggregate has a row
    previous, numbered = NONE, []
    for step, written in enumerate(added, start=row[0] + 1):
        version, kind, event, source, target, at_ms, by, took_ms, reason, appended, payload, delta, used = written
        named = (step, agent, version, previous, kind, event, source, target, at_ms, created_ms, by, took_ms, reason)
        numbered.append((*named, appended, payload, pack(delta), used))
        previous = step
    db.executemany(_INSERT, numbered)
    return previous


def page(db: Connection, agent: int, last: int, created_ms: int, *, after: int, upto: int) -> list[Step]:
    """Steps with a version above ``after``, up to ``upto``, in order; ``last`` is the agent's last step."""
    milestone = one(db, _MILESTONE, agent, upto)
    return _in_order(rows(db, _READ, agent, milestone[0] if milestone else last, after, created_ms, upto))


def tail(db: Connection, agent: int, last: int, created_ms: int, *, since: int, covered: int) -> list[Step]:
    """Steps above ``since``; of those up to ``covered`` what they append, and only if they do. The first above
    ``since`` is among them in any case: it shows that the chain reaches so far."""
    return _in_order(rows(db, _TAIL, agent, last, since, created_ms, covered))


def weight(db: Connection, agent: int, last: int) -> tuple[int, int]:
    """How many there are, and what they weigh: as texts, as in every other store."""
    row = one(db, _WEIGHT, agent, last, 0)
    assert row is not None  # noqa: S101 - an aggregate has a row
    packed = sum(codec.weight(unpack(delta)) for (delta,) in rows(db, _PACKED, agent, last, 0))
    return row[0], int(row[1]) + packed


def forget(db: Connection, agent: int, last: int, *, upto: int = _EVERY) -> int:
    """Delete steps up to a version; returns how many there were."""
    db.execute(_FORGET, (agent, last, 0, upto))
    return db.changes()


def _in_order(found: list[tuple[Any, ...]]) -> list[Step]:
    found.sort(key=itemgetter(0))
    return [codec.step_of(row if type(row[_DELTA]) is not bytes else _unpacked(row)) for row in found]


def _unpacked(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:_DELTA], unpack(row[_DELTA]), *row[_DELTA + 1 :])
