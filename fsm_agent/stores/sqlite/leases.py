"""Leases as units for the writer: taken, prolonged, given up, of one agent or of many at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import apsw

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite.connection import Connection, Row, rows
from fsm_agent.stores.sqlite.due_times import longest_due, under_lease
from fsm_agent.stores.sqlite.transaction import Unit
from fsm_agent.stores.sqlite.writes import standing, unmoved

_LEASE: Final = f"""
UPDATE heads SET epoch = ?1, host = ?2, pid = ?3, started_ms = ?4, until_ms = ?5, due_since_ms = {under_lease("?5")}
WHERE namespace = ?6 AND id = ?7
"""  # noqa: S608 - no value is part of it
#: Of the agents ?6, pairs of an id and an epoch.
_RENEW_ALL: Final = f"""
UPDATE heads SET host = ?1, pid = ?2, started_ms = ?3, until_ms = ?4, due_since_ms = {under_lease("?4")}
WHERE namespace = ?5 AND id IN (SELECT value ->> 0 FROM json_each(?6)) AND host IS NOT NULL
AND (id, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?6)) RETURNING id
"""  # noqa: S608 - no value is part of it
_TAKE: Final = f"""
UPDATE heads SET epoch = epoch + 1, host = :host, pid = :pid, started_ms = :started_ms, until_ms = :until_ms,
                 due_since_ms = {under_lease(":until_ms")}
WHERE namespace = :namespace AND id IN ({{ids}}) RETURNING CAST(id AS BLOB), epoch
"""  # noqa: S608 - no value is part of it
#: how many damaged agents are looked past
_PAST_DAMAGED: Final = 1_000
#: What stands in for an agent in a tiered store has a version below 0, and is nobody's to take.
_NO_STUB: Final = " AND version > 0"
_OF_WORKFLOWS: Final = """
    AND (SELECT name FROM definitions WHERE definitions.workflow = heads.workflow)
        IN (SELECT value FROM json_each(:workflows))"""
_WITHOUT: Final = """
    AND (workflow, state) NOT IN (SELECT definitions.workflow, left_out.value ->> 1 FROM json_each(:without) AS left_out
                                  JOIN definitions ON hash = left_out.value ->> 0)"""


def claiming(namespace: str, agent_id: str, seen: Head, lease: Lease) -> Unit[int]:
    after = codec.lease_row(lease)

    def claim(db: Connection) -> int:
        now = unmoved(db, namespace, agent_id, seen)
        db.execute(_LEASE, (now.epoch + 1, *after, namespace, agent_id))
        return now.epoch + 1

    return claim


def taking(
    namespace: str,
    limit: int,
    lease: Lease,
    *,
    now_ms: int,
    workflows: Collection[str] | None,
    without: Collection[tuple[str, str]],
) -> Unit[list[Claimed]]:
    wanted = (_OF_WORKFLOWS if workflows is not None else "") + (_WITHOUT if without else "")
    query = longest_due(_NO_STUB + wanted)
    statement = _TAKE.format(ids=query)
    values = dict(zip(("host", "pid", "started_ms", "until_ms"), codec.lease_row(lease), strict=True))
    values |= {"namespace": namespace, "now_ms": now_ms, "limit": limit}
    values |= {"workflows": codec.encode(list(workflows or ())), "without": codec.encode(list(map(list, without)))}

    def take(db: Connection) -> list[Claimed]:
        try:
            return list(_read(db.at_hand.execute(statement, values).fetchall()))
        except apsw.ConstraintError:
            return list(_read(_one_by_one(db, query, values)))

    return take


def _one_by_one(db: Connection, query: str, values: dict[str, Any]) -> Iterator[Row]:
    """Take the longest due without those whose rows are damaged, since no statement can write a damaged row."""
    ids = f"SELECT CAST(id AS BLOB) FROM ({query})"  # noqa: S608 - no value is part of it
    found = db.at_hand.execute(ids, {**values, "limit": values["limit"] + _PAST_DAMAGED}).fetchall()
    left = values["limit"]
    for (agent_id,) in found:
        if not left:
            return
        with suppress(apsw.ConstraintError):
            taken = db.at_hand.execute(_TAKE.format(ids="CAST(:id AS TEXT)"), {**values, "id": agent_id}).fetchall()
            left -= len(taken)
            yield from taken


def _read(found: Iterable[Row]) -> Iterator[Claimed]:
    """Those whose ids are texts. Nobody could drive the others, which nobody else takes while they are held."""
    for agent_id, epoch in found:
        with suppress(UnicodeDecodeError):
            yield Claimed(agent_id.decode(), epoch)


def renewing(namespace: str, agent_id: str, epoch: int, lease: Lease) -> Unit[bool]:
    after = codec.lease_row(lease)

    def renew(db: Connection) -> bool:
        now = standing(db, namespace, agent_id)
        if now.epoch != epoch or now.lease == codec.FREE:
            return False
        db.execute(_LEASE, (epoch, *after, namespace, agent_id))
        return True

    return renew


def renewing_all(namespace: str, held: Collection[Claimed], lease: Lease) -> Unit[list[str]]:
    after, agents = codec.lease_row(lease), codec.encode([*map(list, held)])

    def renew_all(db: Connection) -> list[str]:
        return [agent_id for (agent_id,) in rows(db, _RENEW_ALL, *after, namespace, agents)]

    return renew_all


def releasing(namespace: str, agent_id: str, epoch: int) -> Unit[None]:
    def release(db: Connection) -> None:
        now = standing(db, namespace, agent_id)
        if now.epoch == epoch:
            db.execute(_LEASE, (epoch, *codec.FREE, namespace, agent_id))

    return release
