"""The tables in PostgreSQL: made once, brought up to date, and left alone where they are not ours."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys

import pytest

from fsm_agent.domain.message import own_thread
from fsm_agent.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres.schema import MIGRATIONS
from fsm_agent.testing.contract.fixtures import ID, a_commit, all_of
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
