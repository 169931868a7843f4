"""The tables in a PostgreSQL database: all of them in the schema ``fsm_agent``.

``about`` says that the schema is ours, and how many of ``MIGRATIONS`` it has been through.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from fsm_agent.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
from fsm_agent.stores.postgres.connection import Connection, Row
from fsm_agent.stores.postgres.index import reindex
from fsm_agent.stores.postgres.migrations import INDEXED_SINCE, MIGRATIONS

logger = logging.getLogger("fsm_agent")

#: "FSMA": who migrates holds the lock of this number.
_LOCK: Final = 0x46534D41
#: ``MATERIALIZED``
_OLDEST_SERVER: Final = 120_000

_ABOUT: Final = """
CREATE SCHEMA IF NOT EXISTS fsm_agent;
CREATE TABLE IF NOT EXISTS fsm_agent.about (program text NOT NULL UNIQUE, version integer NOT NULL);
INSERT INTO fsm_agent.about VALUES ('fsm-agent', 0) ON CONFLICT DO NOTHING;
"""

_LOOK: Final = """
SELECT current_setting('server_encoding'), to_regclass('fsm_agent.about') IS NOT NULL,
       (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('fsm_agent'))
"""

#: Who has no heads can do nothing with the rest. The first is the present name, the second an older one.
_LOCK_OUT: Final = (
    b"LOCK TABLE fsm_agent.agents IN ACCESS EXCLUSIVE MODE",
    b"LOCK TABLE fsm_agent.head IN ACCESS EXCLUSIVE MODE",
)
_NAMESPACES: Final = b"SELECT DISTINCT namespace FROM fsm_agent.agents"


async def is_current(connection: Connection, url: str) -> bool:
    """Whether the tables are those of the present version.

    Leaves the database untouched and raises if it cannot serve, is not ours or is newer.
    """
    if connection.info.server_version < _OLDEST_SERVER:
        raise StoreUnavailable(f"database {url} is older than PostgreSQL 12; upgrade the server")
    return await _version(connection, url) == len(MIGRATIONS)


async def bring_up(connection: Connection, url: str) -> None:
    """Make the tables if there are none, and bring them to the present version: all of it, or nothing."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (_LOCK,))
        version = await _version(connection, url)  # asked again: another process may have been faster
        await connection.execute(_ABOUT)
        if version:  # those who are at work now are waited for as long as a statement may take, and no longer
            await connection.execute(_LOCK_OUT[version < INDEXED_SINCE])
        await connection.execute("SET LOCAL statement_timeout = 0")
        for migration in MIGRATIONS[version:]:
            await connection.execute(migration.encode())
        await connection.execute("UPDATE fsm_agent.about SET version = %s::integer", (len(MIGRATIONS),))
        filled = await _fill_in(connection) if 0 < version < INDEXED_SINCE else 0
    if 0 < version < len(MIGRATIONS):
        facts = {"action": "store_upgraded", "from_version": version, "indexed": filled}
        logger.info("database %s was upgraded from schema version %d", url, version, extra=facts)


async def _fill_in(connection: Connection) -> int:
    """Write what agents of an older version are found by; returns how many there are of those."""

    async def run(statement: bytes, values: Mapping[str, Any]) -> Sequence[Row]:
        return await (await connection.execute(statement, values)).fetchall()

    return sum([await reindex(run, namespace) for (namespace,) in await run(_NAMESPACES, {})])


async def _version(connection: Connection, url: str) -> int:
    """How many migrations the database has been through; 0 if it is new."""
    found = await (await connection.execute(_LOOK)).fetchone()
    assert found is not None  # noqa: S101 - a query without FROM has a row
    encoding, has_about, tables = found
    if encoding != "UTF8":
        raise StoreUnavailable(f"database {url} keeps text as {encoding}; make one with ENCODING 'UTF8'")
    if not has_about:
        if tables:
            raise _foreign(url)
        return 0
    try:
        query = "SELECT version FROM fsm_agent.about WHERE program = 'fsm-agent'"
        row = await (await connection.execute(query)).fetchone()
    except (psycopg.errors.UndefinedColumn, psycopg.errors.WrongObjectType) as error:
        raise _foreign(url) from error
    if row is None:
        raise _foreign(url)
    if row[0] > len(MIGRATIONS):
        raise StoreTooNew(
            f"database {url} has schema version {row[0]}, and this fsm-agent knows versions up to {len(MIGRATIONS)}; "
            "upgrade fsm-agent"
        )
    return int(row[0])


def _foreign(url: str) -> StoreError:
    return StoreCorrupt(f"database {url} has a schema fsm_agent of another program; name another database")
