"""What agents are found by, held against what their heads say: looked at, mended, and filled in where it is new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage
from fsm_agent.errors import AgentDamaged
from fsm_agent.stores import codec
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.parameters import Values, finding_values
from fsm_agent.stores.postgres.queries import FROM_HEAD, HEAD_COLUMNS, HEAD_WIDTH
from fsm_agent.stores.postgres.rows import head_of
from fsm_agent.stores.postgres.text_escape import told

#: says a statement and returns the rows
Run: TypeAlias = Callable[[bytes, Mapping[str, Any]], Awaitable[Sequence[Row]]]

_PAGE: Final = 500


#: in the order in which they were made, in which most rows of all tables stand, too
_A_PAGE: Final = f"""
SELECT {HEAD_COLUMNS}, head.agent, head.xmin::text, head.wake_ms, head.asked_due, head.asked_to, creations.serves,
    (SELECT json_agg(json_build_array(who, asked_due, created_ms, namespace, id) ORDER BY who)::text
     FROM fsm_agent.addressees WHERE addressees.agent = head.agent),
    (SELECT json_agg(json_build_array(name, label, created_ms, namespace, id) ORDER BY name)::text
     FROM fsm_agent.labels WHERE labels.agent = head.agent)
{FROM_HEAD} LEFT JOIN fsm_agent.creations ON creations.agent = head.agent
WHERE head.namespace = %(namespace)s AND head.agent > %(after)s::bigint ORDER BY head.agent LIMIT {_PAGE}
""".encode()

#: A compare-and-set on the version: whoever steps meanwhile writes the index, too. When an agent is due changes without
#: a version, and is mended only in a row that nobody has written since it was read, which its ``xmin`` tells.
_MEND: Final = b"""
WITH told AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS told (
        id text, version bigint, written text, wake_ms bigint, asked_due bigint, asked_to text, serves text,
        addressees json, labels json)
), moved AS (
    UPDATE fsm_agent.agents AS head
    SET asked_due = told.asked_due, asked_to = told.asked_to,
        wake_ms = CASE WHEN head.xmin::text = told.written THEN told.wake_ms ELSE head.wake_ms END
    FROM told WHERE head.namespace = %(namespace)s AND head.id = told.id AND head.version = told.version
    RETURNING head.agent, head.created_ms, head.id, head.asked_due, told.serves, told.addressees, told.labels
), served AS (
    UPDATE fsm_agent.creations SET serves = moved.serves FROM moved
    WHERE creations.agent = moved.agent AND creations.serves IS DISTINCT FROM moved.serves
), unaddressed AS (
    DELETE FROM fsm_agent.addressees USING moved WHERE addressees.agent = moved.agent
        AND addressees.who NOT IN (SELECT json_array_elements_text(moved.addressees))
), addressed AS (
    INSERT INTO fsm_agent.addressees (agent, asked_due, created_ms, namespace, who, id)
    SELECT agent, asked_due, created_ms, %(namespace)s, who, id
    FROM moved, json_array_elements_text(moved.addressees) AS people (who)
    ON CONFLICT (agent, who) DO UPDATE SET asked_due = excluded.asked_due, created_ms = excluded.created_ms,
        namespace = excluded.namespace, id = excluded.id
), unlabelled AS (
    DELETE FROM fsm_agent.labels USING moved WHERE labels.agent = moved.agent
        AND labels.name NOT IN (SELECT given->>0 FROM json_array_elements(moved.labels) AS names (given))
), labelled AS (
    INSERT INTO fsm_agent.labels (agent, created_ms, namespace, id, name, label)
    SELECT agent, created_ms, %(namespace)s, id, given->>0, given->>1
    FROM moved, json_array_elements(moved.labels) AS names (given)
    ON CONFLICT (agent, name) DO UPDATE SET label = excluded.label, created_ms = excluded.created_ms,
        namespace = excluded.namespace, id = excluded.id
)
SELECT count(*) FROM moved
"""

#: Agents that are not found by their age. Whether they are is known of those, too, whose head cannot be read.
_AGELESS: Final = """FROM fsm_agent.agents AS head LEFT JOIN fsm_agent.creations USING (agent)
WHERE head.namespace = %(namespace)s AND (creations.created_ms, creations.namespace, creations.id, creations.name)
    IS DISTINCT FROM (head.created_ms, head.namespace, head.id, head.name)"""
_FIND_AGELESS: Final = f"SELECT head.id {_AGELESS}".encode()
_MEND_AGELESS: Final = f"""
WITH mended AS (
    INSERT INTO fsm_agent.creations (agent, created_ms, namespace, id, name)
    SELECT head.agent, head.created_ms, head.namespace, head.id, head.name {_AGELESS}
    ON CONFLICT (agent) DO UPDATE SET created_ms = excluded.created_ms, namespace = excluded.namespace,
        id = excluded.id, name = excluded.name
    RETURNING agent
)
SELECT count(*) FROM mended
""".encode()
#: rows of agents that are gone
_ORPHANS: Final = {
    table: f"""FROM fsm_agent.{table} WHERE namespace = %(namespace)s
    AND NOT EXISTS (SELECT FROM fsm_agent.agents AS head WHERE head.agent = {table}.agent)"""
    for table in ("creations", "addressees", "labels")
}


async def inspect(run: Run, namespace: str) -> list[Damage]:
    """See ``Store.inspect``."""
    here, what = {"namespace": namespace}, "it is not found by its age"
    found = [Damage(told(agent_id), "creations", what, is_index=True) for (agent_id,) in await run(_FIND_AGELESS, here)]
    async for rows in _pages(run, namespace):
        found += [damage for row in rows for damage in _damages(row, namespace)]
    for table, orphans in _ORPHANS.items():
        for (agent,) in await run(f"SELECT DISTINCT agent {orphans}".encode(), here):
            what = f"there are rows of agent number {agent}, and no such agent is kept"
            found.append(Damage("", table, what, is_index=True))
    return found


async def reindex(run: Run, namespace: str) -> int:
    """See ``Store.reindex``."""
    here = {"namespace": namespace}
    mended = await _count(run, _MEND_AGELESS, here)
    async for rows in _pages(run, namespace):
        wrong = [_told(row) for row in rows if any(_damages(row, namespace))]
        if wrong:
            mended += await _count(run, _MEND, {**here, "rows": codec.encode(wrong)})
    for orphans in _ORPHANS.values():
        gone = f"WITH gone AS (DELETE {orphans} RETURNING agent) SELECT count(*) FROM gone"
        mended += await _count(run, gone.encode(), here)
    return mended


async def _count(run: Run, statement: bytes, values: Mapping[str, Any]) -> int:
    ((count,),) = await run(statement, values)
    return int(count)


async def _pages(run: Run, namespace: str) -> AsyncIterator[Sequence[Row]]:
    rows = await run(_A_PAGE, {"namespace": namespace, "after": 0})
    while rows:
        yield rows
        rows = await run(_A_PAGE, {"namespace": namespace, "after": rows[-1][HEAD_WIDTH]})


def _damages(row: Row, namespace: str) -> Iterator[Damage]:
    """What is wrong with what an agent is found by. Of one whose head cannot be read nobody knows that."""
    try:
        head = head_of(row)
    except AgentDamaged:
        return
    _, _, wake_ms, asked_due, asked_to, serves, addressees, labels = row[HEAD_WIDTH:]
    values, place = finding_values(head), [head.created_ms, namespace, row[0]]
    asks = (values["asked_due"], values["asked_to"])
    people = sorted([who, asks[0], *place] for who in codec.decode(values["addressees"]))
    if wake_ms not in _due_as(head):
        yield Damage(head.id, "agents", "it is found as due at another time than its head says", is_index=True)
    if (asked_due, asked_to) != asks:
        yield Damage(head.id, "agents", _QUESTION[asked_due is None, asks[0] is None], is_index=True)
    if serves != values["serves"]:
        yield Damage(head.id, "creations", "it is not found by its user", is_index=True)
    if sorted(codec.decode(addressees or "[]")) != people:
        yield Damage(head.id, "addressees", "its question is not found by those whom it asks", is_index=True)
    if sorted(codec.decode(labels or "[]")) != sorted([*pair, *place] for pair in codec.decode(values["labels"])):
        yield Damage(head.id, "labels", "it is not found by its labels", is_index=True)


def _due_as(head: Head) -> tuple[int | None, ...]:
    """As what an agent may be kept among those that are due, what is written first; see ``lease_statements``. Of one
    that is due at once an older process may have left the other."""
    if head.wake_ms not in {0, head.updated_ms}:
        return (head.wake_ms,)
    return (head.updated_ms, 0) if head.lease is None else (0, head.updated_ms)


#: whether it is not found among those who ask, and whether it does not ask
_QUESTION: Final = {
    (True, False): "it asks, and is not found among those who ask",
    (False, True): "it is found among those who ask, and does not ask",
    (False, False): "its question is found by another deadline or by another person",
}


def _told(row: Row) -> Values:
    """What ``_MEND`` is told of an agent."""
    head = head_of(row)
    values = finding_values(head)
    lists = {name: codec.decode(values[name]) for name in ("addressees", "labels")}
    due = {"written": row[HEAD_WIDTH + 1], "wake_ms": _due_as(head)[0]}
    return {**values, **lists, **due, "id": row[0], "version": head.version}
