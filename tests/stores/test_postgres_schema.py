"""The tables in PostgreSQL: made once, brought up to date, and left alone where they are not ours."""

from __future__ import annotations

import asyncio
import inspect
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg
import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.record import Creation, Record
from fsm_agent.domain.step import Step
from fsm_agent.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres.errors import statement_error
from fsm_agent.stores.postgres.migrations import MIGRATIONS, UPGRADED
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import ID, LEASE, a_commit, a_creation, all_of, keep_definitions
from tests.support.findable_agents import assert_all_are_found, make_findable_agents
from tests.support.postgres_stores import count, make, refused, with_store
from tests.support.servers.postgres import PostgresServer
from tests.support.thread_verbs import use_every_thread_verb


def test_a_missing_table_is_damage(postgres: PostgresServer) -> None:
    url = postgres.make_database("damaged")
    asyncio.run(make(url))
    postgres.execute("DROP TABLE fsm_agent.history", "damaged")

    async def look(store: Store) -> None:
        for verb in (store.load(ID), store.commit(a_commit(2))):
            with pytest.raises(StoreCorrupt, match=r"is damaged \(relation .*history.* does not exist\); restore it"):
                await verb
        assert (await store.head(ID)).version == 1

    with_store(url, look)


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE fsm_agent.head (n integer)",
        "CREATE TABLE fsm_agent.about (n integer)",
        "CREATE TABLE fsm_agent.about (program text, version integer)",
    ],
)
def test_the_schema_of_another_program_is_left_alone(postgres: PostgresServer, theirs: str) -> None:
    url = postgres.make_database("theirs")
    postgres.execute(f"CREATE SCHEMA fsm_agent; {theirs}", "theirs")
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('fsm_agent')"
    before = postgres.execute(tables, "theirs")
    assert "has a schema fsm_agent of another program; name another database" in refused(url, StoreCorrupt)
    assert postgres.execute(tables, "theirs") == before


def test_a_newer_database_is_left_alone(postgres: PostgresServer) -> None:
    url = postgres.make_database("newer")
    asyncio.run(make(url))
    postgres.execute("UPDATE fsm_agent.about SET version = 99", "newer")
    assert refused(url, StoreTooNew) == (
        f"database {url} has schema version 99, and this fsm-agent knows versions up to {len(MIGRATIONS)}; "
        "upgrade fsm-agent"
    )


def test_a_database_that_cannot_keep_every_text_is_refused(postgres: PostgresServer) -> None:
    url = postgres.make_database("latin", "ENCODING 'LATIN1' TEMPLATE template0")
    assert "keeps text as LATIN1; make one with ENCODING 'UTF8'" in refused(url, StoreUnavailable)


def test_an_empty_schema_is_used(postgres: PostgresServer) -> None:
    url = postgres.make_database("prepared")
    postgres.execute("CREATE SCHEMA fsm_agent", "prepared")
    asyncio.run(make(url))


def test_every_migration_is_run_once_whatever_version_a_database_has(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = postgres.make_database("old"), postgres.make_database("new")
    asyncio.run(make(old))
    later = (*MIGRATIONS, "CREATE TABLE fsm_agent.notes (n integer)", "ALTER TABLE fsm_agent.notes ADD COLUMN m text")
    monkeypatch.setattr("fsm_agent.stores.postgres.schema.MIGRATIONS", later)
    for url in (old, old, new, new):
        asyncio.run(count(url))
    for name in ("old", "new"):
        assert postgres.execute("SELECT version FROM fsm_agent.about", name) == [(len(later),)]
        assert postgres.execute("SELECT n, m FROM fsm_agent.notes", name) == []


def test_a_database_of_before_there_were_threads_goes_on(postgres: PostgresServer) -> None:
    url = postgres.make_database("silent")
    asyncio.run(make(url))
    go_back(postgres, "silent")
    tables = "fsm_agent.threads, fsm_agent.messages, fsm_agent.users"
    postgres.execute(f"DROP TABLE {tables}; ALTER TABLE fsm_agent.history DROP COLUMN used", "silent")
    postgres.execute("UPDATE fsm_agent.about SET version = 1", "silent")

    async def go_on(store: Store) -> None:
        before = await all_of(store)
        assert [step.said for step in before[1]] == [0]
        await use_every_thread_verb(store, 2, epoch=1)
        assert (await store.history(ID))[:1] == before[1]
        assert [message.content for message in await store.messages(own_thread(ID))] == ["hello"]
        assert (await store.dump(ID)).head.version == 3

    with_store(url, go_on)


#: takes a database back to where an agent that is due at once was due since ever, whether somebody held it or not
_BACK_TO_WAKING: Final = """
DROP VIEW fsm_agent.backlog;
DROP FUNCTION fsm_agent.due_now;
DROP INDEX fsm_agent.due;
CREATE INDEX waking ON fsm_agent.agents (namespace, wake_ms) WHERE wake_ms IS NOT NULL;
UPDATE fsm_agent.agents SET wake_ms = 0 WHERE wake_ms = updated_ms;
UPDATE fsm_agent.about SET version = 3
"""
#: and from there to where agents were found by their ids, statuses and workflows alone
_BACK: Final = """
DROP VIEW fsm_agent.head, fsm_agent.workflows, fsm_agent.threads, fsm_agent.users;
DROP FUNCTION fsm_agent.upgraded;
DROP TABLE fsm_agent.creations, fsm_agent.addressees, fsm_agent.labels;
ALTER TABLE fsm_agent.agents DROP COLUMN asked_due, DROP COLUMN asked_to, ALTER COLUMN name RESET (n_distinct);
ALTER TABLE fsm_agent.agents RENAME TO head;
ALTER TABLE fsm_agent.definitions RENAME TO workflows;
ALTER TABLE fsm_agent.thread_names RENAME TO threads;
ALTER TABLE fsm_agent.user_records RENAME TO users;
UPDATE fsm_agent.about SET version = 2
"""


def go_back(postgres: PostgresServer, database: str) -> None:
    postgres.execute(_BACK_TO_WAKING, database)
    postgres.execute(_BACK, database)


def test_an_older_database_is_filled_in_and_that_is_said(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.make_database("unfound")
    for namespace in ("default", "other"):
        asyncio.run(make_findable_agents(url, namespace))
    go_back(postgres, "unfound")
    postgres.execute("UPDATE fsm_agent.head SET cold = '[{\"a' WHERE id = 'damaged'", "unfound")

    with caplog.at_level(logging.INFO, "fsm_agent"):
        with_store(url, assert_all_are_found)
    [said] = caplog.records
    assert said.message == f"database {url} was upgraded from schema version 2"
    assert (vars(said)["action"], vars(said)["indexed"]) == ("store_upgraded", 8)


def test_a_process_of_an_earlier_version_that_has_it_open_is_refused_and_changes_nothing(
    postgres: PostgresServer,
) -> None:
    url = postgres.make_database("overtaken")
    asyncio.run(make(url))
    go_back(postgres, "overtaken")
    statements = {
        "step": "UPDATE fsm_agent.head SET state = 'x', version = 2 WHERE id = $1 RETURNING agent",
        "look": "SELECT head.version FROM fsm_agent.head LEFT JOIN fsm_agent.workflows USING (workflow) WHERE id = $1",
        "lock": "SELECT agent FROM fsm_agent.head WHERE id = $1 FOR NO KEY UPDATE",
        "birth": "INSERT INTO fsm_agent.head (namespace, id, workflow, name, created_ms, state, status, version, "
        "updated_ms, cold) SELECT namespace, $1, workflow, name, 1, '', 1, 1, 1, '[]' FROM fsm_agent.workflows",
        "definition": "INSERT INTO fsm_agent.workflows (namespace, hash, name, version, definition) "
        "VALUES ('', $1, '', 1, '')",
        "thread": "INSERT INTO fsm_agent.threads AS known (namespace, name, last) VALUES ('', $1, 1) "
        "ON CONFLICT (namespace, name) DO UPDATE SET last = known.last + 1",
        "user": "INSERT INTO fsm_agent.users (namespace, name, version, updated_ms, data) VALUES ('', $1, 1, 1, '')",
        "end": "DELETE FROM fsm_agent.head WHERE id = $1",
    }
    with psycopg.connect(url, autocommit=True) as old:
        for name, statement in statements.items():
            old.execute(f'PREPARE "{name}" (text) AS {statement}'.encode())
        before = asyncio.run(whole(url))
        for name in statements:
            with pytest.raises(psycopg.Error, match="a newer fsm-agent has upgraded this database: restart with that"):
                old.execute(f"EXECUTE \"{name}\" ('{ID}')".encode())
    assert asyncio.run(whole(url)) == before
    assert postgres.execute("SELECT count(*) FROM fsm_agent.thread_names", "overtaken") == [(0,)]


async def whole(url: str) -> tuple[Record, Sequence[Step]]:
    async with open_store(url) as store:
        return await all_of(store)


#: agent -> what it is, and the ``wake_ms`` that is kept of it
WAKING: Final[Mapping[str, tuple[Creation, int | None]]] = {
    "due": (a_creation("due", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 7), NEW_YEAR_MS + 7),
    "longer": (a_creation("longer", status=Status.RUNNING, updated_ms=NEW_YEAR_MS + 3), NEW_YEAR_MS + 3),
    "held": (a_creation("held", status=Status.RUNNING, lease=LEASE), 0),
    "lapsed": (a_creation("lapsed", status=Status.RUNNING, lease=Lease(LEASE.holder, NEW_YEAR_MS + 5)), 0),
    "timer": (a_creation("timer", timers=(ArmedTimer("open", "1h", NEW_YEAR_MS + 4),)), NEW_YEAR_MS + 4),
    "held-timer": (
        a_creation("held-timer", lease=LEASE, timers=(ArmedTimer("open", "1h", NEW_YEAR_MS + 6),)),
        NEW_YEAR_MS + 6,
    ),
    "waits": (a_creation("waits"), None),
    "parked": (a_creation("parked", status=Status.PARKED), None),
    "done": (a_creation("done", status=Status.DONE), None),
}


async def make_waking(url: str) -> None:
    async with open_store(url) as store:
        await keep_definitions(store)
        for creation, _ in WAKING.values():
            await store.create(creation)


def test_since_when_agents_are_due_is_filled_in(postgres: PostgresServer) -> None:
    url = postgres.make_database("ageless")
    asyncio.run(make_waking(url))
    postgres.execute(_BACK_TO_WAKING, "ageless")

    async def look(store: Store) -> None:
        assert await store.due(NEW_YEAR_MS + 7, 9) == ["longer", "timer", "lapsed", "due"]
        assert (list(await store.inspect()), await store.reindex()) == ([], 0)

    with_store(url, look)
    found = dict(postgres.execute("SELECT id, wake_ms FROM fsm_agent.agents", "ageless"))
    assert found == {name: wake_ms for name, (_, wake_ms) in WAKING.items()}


def test_a_process_of_before_agents_were_due_since_a_time_goes_on_beside_newer_ones(postgres: PostgresServer) -> None:
    url = postgres.make_database("beside")
    asyncio.run(make_waking(url))
    postgres.execute(_BACK_TO_WAKING, "beside")
    statements = {
        "release": "UPDATE fsm_agent.agents SET host = NULL, pid = NULL, started_ms = NULL, until_ms = NULL "
        "WHERE id = $1 AND epoch = 1 RETURNING epoch",
        "step": "UPDATE fsm_agent.agents SET version = 2, wake_ms = 0 WHERE id = $1 RETURNING epoch",
        "due": "SELECT id FROM fsm_agent.agents WHERE namespace = $1 AND wake_ms <= 1767225600007 "
        "AND (until_ms IS NULL OR until_ms <= 1767225600007) ORDER BY wake_ms LIMIT 99",
    }

    async def go_on() -> None:
        async with open_store(url, clock=lambda: NEW_YEAR_MS + 7) as store:
            await look(store)

    async def look(store: Store) -> None:
        assert await store.due(NEW_YEAR_MS + 7, 9) == ["longer", "timer", "lapsed", "due"]
        for name, agent_id in (("release", "held"), ("step", "due")):
            old.execute(f"EXECUTE \"{name}\" ('{agent_id}')".encode())
        due = await store.due(NEW_YEAR_MS + 7, 9)
        assert (sorted(due[:2]), due[2:]) == (["due", "held"], ["longer", "timer", "lapsed"])
        by_old = old.execute("EXECUTE \"due\" ('default')").fetchall()
        assert sorted(by_old) == sorted((agent_id,) for agent_id in due)
        assert len(await store.take(9, LEASE)) == len(due)
        assert old.execute("EXECUTE \"due\" ('default')").fetchall() == []
        assert (list(await store.inspect()), await store.reindex()) == ([], 0)

    with psycopg.connect(url, autocommit=True) as old:
        for name, statement in statements.items():
            old.execute(f'PREPARE "{name}" (text) AS {statement}'.encode())
        asyncio.run(go_on())


def test_who_is_refused_by_a_newer_version_is_told_so() -> None:
    error = psycopg.errors.ObjectNotInPrerequisiteState(UPGRADED)
    refusal = statement_error(error, "postgresql://db/agents", may_have_written=True)
    assert type(refusal) is StoreTooNew
    assert str(refusal) == f"database postgresql://db/agents is not for this process any more: {UPGRADED}"


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.make_database("unlucky")
    asyncio.run(make(url))
    broken = (*MIGRATIONS, "CREATE TABLE fsm_agent.notes (n integer)", "CREATE TABLE fsm_agent.notes (n integer)")
    with monkeypatch.context() as patch:
        patch.setattr("fsm_agent.stores.postgres.schema.MIGRATIONS", broken)
        assert 'relation "notes" already exists' in refused(url, StoreCorrupt)
    assert postgres.execute("SELECT version FROM fsm_agent.about", "unlucky") == [(len(MIGRATIONS),)]
    assert asyncio.run(count(url)) == 1


def test_processes_that_make_the_same_tables_at_once_all_succeed(postgres: PostgresServer) -> None:
    url = postgres.make_database("crowded")
    script = inspect.getsource(make) + (
        "\nimport asyncio, sys\nfrom fsm_agent.stores.urls import open_store\n"
        "from fsm_agent.testing.contract.fixtures import a_creation as new, keep_definitions\n"
        "a_creation = lambda: new(sys.argv[2])\nasyncio.run(make(sys.argv[1]))\n"
    )
    openers = [subprocess.Popen([sys.executable, "-c", script, url, f"agent-{n}"]) for n in range(4)]
    assert [opener.wait(60) for opener in openers] == [0] * 4
    assert asyncio.run(count(url)) == 4
