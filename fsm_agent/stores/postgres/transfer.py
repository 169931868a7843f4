"""An agent of another store, kept in PostgreSQL with all that it had: the one write of many statements."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from psycopg import Rollback
from psycopg.errors import Error, UniqueViolation

from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.record import AgentExport
from fsm_agent.errors import AgentExists
from fsm_agent.stores import codec
from fsm_agent.stores.postgres import thread_statements
from fsm_agent.stores.postgres.connection import Connection
from fsm_agent.stores.postgres.parameters import (
    Values,
    adoption_values,
    asks_several,
    effect_values,
    event_values,
    messages_text,
    seen_values,
    snapshot_values,
    step_values,
)
from fsm_agent.stores.postgres.pool import Pool
from fsm_agent.stores.postgres.statements import DELETE, create_statement, insert_step
from fsm_agent.stores.postgres.text_escape import kept

_AGENT: Final = "(SELECT %(agent)s::bigint AS agent) AS adopted"
_STEP: Final = insert_step("0", _AGENT).encode()
_SNAPSHOT: Final = b"""
INSERT INTO fsm_agent.snapshot (agent, version, since, appended_since, data)
VALUES (%(agent)s::bigint, %(covered)s::bigint, %(since)s::bigint, %(appended_since)s, %(data)s)
"""
_ORIGIN: Final = b"""
INSERT INTO fsm_agent.origin (agent, version, head, data)
VALUES (%(agent)s::bigint, %(version)s::bigint, %(head)s, %(data)s)
"""
_QUEUED: Final = b"""
INSERT INTO fsm_agent.queue (agent, number, version, key, event)
VALUES (%(agent)s::bigint, %(number)s::bigint, %(version)s::bigint, %(key)s, %(event)s)
"""
_KEY: Final = b"""
INSERT INTO fsm_agent.keys (agent, key, version, fingerprint)
VALUES (%(agent)s::bigint, %(key)s, %(version)s::bigint, %(fingerprint)s)
"""
_EFFECT: Final = b"""
INSERT INTO fsm_agent.effects (
    agent, key, activation, name, use, mode, fingerprint, epoch, begun_ms, ended_ms, result)
VALUES (%(agent)s::bigint, %(key)s, %(activation)s::bigint, %(name)s, %(use)s::bigint, %(mode)s, %(fingerprint)s,
    %(epoch)s::bigint, %(begun_ms)s::bigint, %(ended_ms)s::bigint, %(result)s)
"""


class Adoption(Enum):
    """What became of it; nothing is changed unless it is done."""

    DONE = auto()
    #: who was to be replaced is not as he was seen
    MOVED_ON = auto()
    #: its definition is not kept
    UNPINNED = auto()


async def adopt(pool: Pool, namespace: str, export: AgentExport, replaces: Head | None) -> Adoption:
    """Keep the agent, whole or not at all. Raises ``AgentExists`` if its id or the key of its creation is taken."""
    row = {"namespace": namespace, **adoption_values(export)}
    rows = [(statement, list(of_table)) for statement, of_table in _rows_of(export)]
    outcome = Adoption.DONE
    try:
        async with pool.lent() as session, session.connection.transaction():
            if replaces is not None and not await _make_room(session.connection, namespace, replaces):
                return Adoption.MOVED_ON
            statement = create_statement(0, addresses=asks_several(row), has_labels=bool(export.head.labels))
            found = await (await session.connection.execute(statement, row)).fetchone()
            if found is None:
                outcome = Adoption.UNPINNED
                raise Rollback
            for statement, of_table in rows:
                named = [{"agent": found[0], **each} for each in of_table]
                if named:
                    await session.connection.cursor().executemany(statement, named)
            if export.head.talk.last:
                await _adopt_thread(session.connection, namespace, export)
    except UniqueViolation:
        raise AgentExists(export.head.id) from None
    except Error as error:
        raise pool.translated(error) from error
    return outcome


async def _make_room(connection: Connection, namespace: str, replaces: Head) -> bool:
    """Forget who was there, if he is as he was seen."""
    row = {"namespace": namespace, "seen_queued": replaces.queued, **seen_values(replaces)}
    return await (await connection.execute(DELETE, row)).fetchone() is not None


async def _adopt_thread(connection: Connection, namespace: str, export: AgentExport) -> None:
    head = export.head
    row = {"namespace": namespace, "thread": kept(own_thread(head.id)), "last": head.talk.last}
    made = await (await connection.execute(thread_statements.ADOPT_THREAD, row)).fetchone()
    assert made is not None  # noqa: S101 - an insert that returns
    said = {"thread": made[0], "messages": messages_text(export.messages)}
    await connection.execute(thread_statements.ADOPT_MESSAGES, said)


def _rows_of(export: AgentExport) -> Iterator[tuple[bytes, Iterator[Values]]]:
    """What goes to each table but that of heads, without the number of the agent."""
    yield _STEP, (step_values(step, "0") for step in export.steps)
    if export.snapshot:
        yield _SNAPSHOT, iter([snapshot_values(export.snapshot)])
    if export.origin:
        version, head, data = codec.origin_row(export.origin)
        yield _ORIGIN, iter([{"version": version, "head": head, "data": data}])
    yield (
        _QUEUED,
        ({"number": each.number, "version": each.version, **event_values(each.event, "")} for each in export.queue),
    )
    yield (
        _KEY,
        (
            {"key": kept(key), "version": outcome.version, "fingerprint": kept(outcome.fingerprint)}
            for key, outcome in export.keys.items()
        ),
    )
    yield _EFFECT, (effect_values(entry) for entry in export.effects)
