"""The tables in a PostgreSQL database: all of them in the schema ``fsm_agent``.

``about`` says that the schema is ours, and how many of ``MIGRATIONS`` it has been through. Only ever add to them:
databases that stand in the world have run the earlier ones.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from fsm_agent.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable

#: "FSMA": who migrates holds the lock of this number.
_LOCK: Final = 0x46534D41
#: ``MATERIALIZED``
_OLDEST_SERVER: Final = 120_000

_ABOUT: Final = """
CREATE SCHEMA IF NOT EXISTS fsm_agent;
CREATE TABLE IF NOT EXISTS fsm_agent.about (program text NOT NULL UNIQUE, version integer NOT NULL);
INSERT INTO fsm_agent.about VALUES ('fsm-agent', 0) ON CONFLICT DO NOTHING;
"""

#: Everything by which rows are found or ordered compares by code point, as in every other store: COLLATE "C".
_FIRST: Final = """
CREATE TABLE fsm_agent.workflows (
    workflow    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace   text COLLATE "C" NOT NULL,
    hash        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    version     bigint  NOT NULL,
    definition  text    NOT NULL,
    UNIQUE (namespace, hash)
);

-- A step that changes neither when its agent is due nor who holds it changes no index: with room left on its page,
-- the new row stands beside the old one (HOT).
CREATE TABLE fsm_agent.head (
    agent       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow    integer NOT NULL,
    status      smallint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,            -- of the workflow, to list by
    created_ms  bigint  NOT NULL,
    state       text    NOT NULL,
    version     bigint  NOT NULL,
    updated_ms  bigint  NOT NULL,
    epoch       bigint  NOT NULL DEFAULT 1,
    queued      integer NOT NULL DEFAULT 0,
    numbered    bigint  NOT NULL DEFAULT 0,           -- number of the last event that was ever queued
    wake_ms     bigint,
    host        text COLLATE "C",                     -- the lease, with the next three
    pid         bigint,
    started_ms  bigint,
    until_ms    bigint,
    start_key   text COLLATE "C",                     -- under which it was created
    start_fingerprint text,
    cold        text    NOT NULL,
    UNIQUE (namespace, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX started ON fsm_agent.head (namespace, start_key) WHERE start_key IS NOT NULL;
CREATE INDEX waking ON fsm_agent.head (namespace, wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX held ON fsm_agent.head (namespace, host) WHERE host IS NOT NULL;
CREATE INDEX by_status ON fsm_agent.head (namespace, status, id);
CREATE INDEX by_name ON fsm_agent.head (namespace, name, id);

CREATE TABLE fsm_agent.history (
    agent       bigint  NOT NULL,
    version     bigint  NOT NULL,
    at_ms       bigint  NOT NULL,
    duration_ms bigint,
    kind        integer NOT NULL,
    event       text    NOT NULL,
    source      text,
    target      text    NOT NULL,
    by          text,
    reason      text,
    append      text,
    payload     text,
    delta       text,
    PRIMARY KEY (agent, version)
);

CREATE TABLE fsm_agent.snapshot (
    agent          bigint PRIMARY KEY,
    version        bigint NOT NULL,
    since          bigint NOT NULL,                   -- the least version in appended_since
    appended_since text   NOT NULL,
    data           text   NOT NULL
);

-- Where a shortened history begins.
CREATE TABLE fsm_agent.origin (
    agent       bigint PRIMARY KEY,
    version     bigint NOT NULL,
    head        text   NOT NULL,
    data        text   NOT NULL
);

CREATE TABLE fsm_agent.queue (
    agent       bigint NOT NULL,
    number      bigint NOT NULL,
    version     bigint NOT NULL,                      -- that of the agent when the event arrived
    key         text COLLATE "C",
    event       text   NOT NULL,
    PRIMARY KEY (agent, number)
);

CREATE TABLE fsm_agent.keys (
    agent       bigint NOT NULL,
    version     bigint,                               -- null while the event is queued
    key         text COLLATE "C" NOT NULL,
    fingerprint text   NOT NULL,
    PRIMARY KEY (agent, key)
);

CREATE TABLE fsm_agent.effects (
    agent       bigint NOT NULL,
    activation  bigint NOT NULL,
    use         bigint NOT NULL,
    epoch       bigint NOT NULL,
    begun_ms    bigint NOT NULL,
    ended_ms    bigint,                               -- null, like the result, while it is open
    key         text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    mode        text   NOT NULL,
    fingerprint text   NOT NULL,
    result      text,
    PRIMARY KEY (agent, key)
);
"""

_THREADS_AND_USERS: Final = """
ALTER TABLE fsm_agent.history ADD COLUMN used text;   -- messages added, and what models have cost

CREATE TABLE fsm_agent.threads (
    thread      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    last        bigint NOT NULL,                      -- the last number that was given to a message
    namespace   text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    UNIQUE (namespace, name)
) WITH (fillfactor = 70);
CREATE INDEX shared ON fsm_agent.threads (namespace, name) WHERE left(name, 1) <> '@';

CREATE TABLE fsm_agent.messages (
    thread      bigint NOT NULL,
    number      bigint NOT NULL,
    at_ms       bigint NOT NULL,
    tokens      bigint NOT NULL,
    covers      bigint NOT NULL,
    role        smallint NOT NULL,
    by          text,
    content     text   NOT NULL,
    parts       text,
    PRIMARY KEY (thread, number)
);

CREATE TABLE fsm_agent.users (
    version     bigint NOT NULL,
    updated_ms  bigint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    data        text   NOT NULL,
    PRIMARY KEY (namespace, name)
) WITH (fillfactor = 70);
"""

#: the n-th brings a database from version n to n + 1
MIGRATIONS: Final = (_FIRST, _THREADS_AND_USERS)

_LOOK: Final = """
SELECT current_setting('server_encoding'), to_regclass('fsm_agent.about') IS NOT NULL,
       (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('fsm_agent'))
"""


async def bring_up(connection: psycopg.AsyncConnection[Any], url: str) -> None:
    """Make the tables if there are none, and bring them to the present version.

    Leaves the database untouched and raises if it cannot serve, is not ours or is newer.
    """
    if connection.info.server_version < _OLDEST_SERVER:
        raise StoreUnavailable(f"database {url} is older than PostgreSQL 12; upgrade the server")
    if await _version(connection, url) < len(MIGRATIONS):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (_LOCK,))
            version = await _version(connection, url)  # asked again: another process may have been faster
            await connection.execute(_ABOUT)
            for migration in MIGRATIONS[version:]:
                await connection.execute(migration.encode())
            await connection.execute("UPDATE fsm_agent.about SET version = %s::integer", (len(MIGRATIONS),))


async def _version(connection: psycopg.AsyncConnection[Any], url: str) -> int:
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
