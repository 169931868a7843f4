"""A PostgreSQL that cannot serve says so in one sentence that names it, and nothing is half-written."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import psycopg
import pytest
from psycopg import errors as pg

from fsm_agent.errors import StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres.errors import connecting_error, statement_error
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, all_of
from tests.support.postgres_stores import make, refused, with_store
from tests.support.servers.postgres import PostgresServer

FORM = "write postgresql://user@host:port/database"


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database with one agent."""
    asyncio.run(make(postgres_url))
    return postgres_url


def test_opening_connects_to_nothing() -> None:
    async def look() -> None:
        async with open_store("postgresql://nobody@127.0.0.1:1/nowhere"):
            pass

    asyncio.run(look())


def test_a_driver_that_is_not_installed_is_named_by_its_extra() -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from fsm_agent.stores.urls import open_store\nopen_store('postgresql://host/agents')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert "needs a driver that is not installed: pip install 'fsm-agent[postgres]'" in done.stderr


def test_a_server_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    assert "refused the connection; is a server running there?" in refused(postgres.url(port=1), StoreUnavailable)


def test_a_host_that_nobody_knows_is_named() -> None:
    url = "postgresql://ana:geheim@no-such-host.invalid/agents"
    assert "has a host that nobody knows" in refused(url, StoreUnavailable)


def test_a_database_that_is_not_there_says_how_to_make_it(postgres: PostgresServer) -> None:
    assert "does not exist; make it with `createdb`" in refused(postgres.url("nowhere"), StoreUrlInvalid)


def test_a_wrong_password_is_refused_and_never_shown(
    postgres: PostgresServer, url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    postgres.execute("DROP ROLE IF EXISTS ana; CREATE ROLE ana LOGIN PASSWORD 'richtig'")
    for user in ("ana:geheim", "ana", "nobody:geheim"):
        sentence = refused(postgres.url("agents", user=user), StoreUrlInvalid)
        assert (
            "refuses this user or password; name the user in the URL, and give the password in PGPASSWORD" in sentence
        )
        assert "geheim" not in sentence + caplog.text + "".join(capfd.readouterr())
    store = open_store(postgres.url("agents", user="ana:richtig"))
    assert store.url == postgres.url("agents", user="ana:***")


def test_a_password_is_taken_from_the_environment(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute("DROP ROLE IF EXISTS eva; CREATE ROLE eva LOGIN SUPERUSER PASSWORD 'richtig'")
    monkeypatch.setenv("PGPASSWORD", "richtig")

    async def look(store: Store) -> None:
        assert (await store.head(ID)).version == 1

    with_store(postgres.url("agents", user="eva"), look)


def test_a_user_without_rights_is_told_what_to_grant(postgres: PostgresServer, url: str) -> None:
    postgres.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'richtig'")
    sentence = refused(postgres.url("agents", user="guest:richtig"), StoreUnavailable)
    assert "does not let this user do that (permission denied for schema fsm_agent); grant it the schema" in sentence
    assert "permission denied for database" in refused(
        postgres.make_database("closed").replace("fsm@", "guest:richtig@"), StoreUnavailable
    )


def test_a_user_who_may_write_needs_no_right_to_make_tables(postgres: PostgresServer, url: str) -> None:
    postgres.execute("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'richtig'")
    postgres.execute(
        "GRANT USAGE ON SCHEMA fsm_agent TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA fsm_agent TO clerk", "agents"
    )

    async def write(store: Store) -> None:
        await store.commit(a_commit(2))
        await store.create(a_creation("other"))

    with_store(postgres.url("agents", user="clerk:richtig"), write)
    postgres.execute("DROP OWNED BY clerk", "agents")


def test_a_read_only_database_can_be_looked_at_and_not_written(postgres: PostgresServer, url: str) -> None:
    async def look(store: Store) -> None:
        before = await all_of(store)
        with pytest.raises(StoreUnavailable, match=f"database {url} is read-only; name the primary"):
            await store.commit(a_commit(2))
        assert await all_of(store) == before

    postgres.execute("ALTER DATABASE agents SET default_transaction_read_only = on")
    try:
        with_store(url, look)
    finally:
        postgres.execute("SET default_transaction_read_only = off; ALTER DATABASE agents RESET ALL")


def test_a_server_without_connections_left_says_what_to_change(postgres: PostgresServer, url: str) -> None:
    postgres.execute("DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN PASSWORD 'richtig' CONNECTION LIMIT 0")
    sentence = refused(postgres.url("agents", user="few:richtig"), StoreUnavailable)
    assert "has no connection left; raise its max_connections, or lower `?pool_size=` in the URL" in sentence


def test_a_lock_that_somebody_holds_is_waited_for_and_not_for_ever(url: str) -> None:
    async def wait(store: PostgresStore) -> None:
        before = await all_of(store)
        async with await psycopg.AsyncConnection.connect(url) as other:
            await other.execute("SELECT FROM fsm_agent.agents FOR UPDATE")
            with pytest.raises(
                StoreUnavailable, match=r"took too long and gave up; .* somebody holds a lock: try again"
            ):
                await store.commit(a_commit(2))
            waiting = asyncio.ensure_future(store.commit(a_commit(2)))
            await other.rollback()
            await waiting
        assert (await all_of(store))[0].head.version == before[0].head.version + 1

    with_store(url, wait, patience_ms=500)


def test_callers_that_find_no_free_connection_are_told(url: str) -> None:
    async def crowd(store: PostgresStore) -> None:
        async with store._pool.lent():
            with pytest.raises(StoreUnavailable, match="is busy: all 1 connections are in use; try again, or raise"):
                await store.head(ID)
        assert (await store.head(ID)).version == 1

    with_store(f"{url}?pool_size=1", crowd, patience_ms=50)


def test_a_store_that_is_closed_says_so(url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.head(ID)
        await store.close()
        for verb in (store.head(ID), store.commit(a_commit(2)), store.now()):
            with pytest.raises(StoreUnavailable, match=f"database {url} is closed already; open the store again"):
                await verb

    with_store(url, use)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://", f"names no database: {FORM}"),
        ("postgresql://host", f"names no database: {FORM}"),
        ("postgres://ana:geheim@host:5432", f"names no database: {FORM}"),
        ("postgresql://ana:geheim@host:port/agents", f"has a port that is no number up to 65535: {FORM}"),
        ("postgresql://127.0.0.1:xx/db", f"has a port that is no number up to 65535: {FORM}"),
        ("postgresql://host:99999/db", f"has a port that is no number up to 65535: {FORM}"),
        ("postgresql://ana:geheim@host/agents?no_such_option=1", f"has the unknown option 'no_such_option': {FORM}"),
        (
            "postgresql://127.0.0.1:1/db?pasword=geheim",
            f"store URL 'postgresql://127.0.0.1:1/db?pasword=***' has the unknown option 'pasword' (did you mean "
            f"`password`?): {FORM}",
        ),
        ("postgresql://host/db?sslmode", f"has an option without a value: {FORM}"),
        ("postgresql://ana:ge%heim@host/agents", f"cannot be read: {FORM}"),
        ("postgresql://host/nul\0", f"has a NUL character: {FORM}"),
        ("postgresql://host/agents?password=geheim&pool_size=0", "has an odd pool_size; it is a number from 1 to 1000"),
        ("postgresql://ana:geheim@host/agents?pool_size=many", "has an odd pool_size; it is a number from 1 to 1000"),
    ],
)
def test_a_url_that_leads_to_no_database_is_refused_with_the_reason(url: str, sentence: str) -> None:
    with pytest.raises(StoreUrlInvalid) as failed:
        open_store(url)
    assert sentence in str(failed.value)
    assert "heim" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_the_other_spelling_and_the_options_of_libpq_are_understood(postgres: PostgresServer, url: str) -> None:
    other = url.replace("postgresql://", "postgres://") + "?application_name=desk&pool_size=3&connect_timeout=3"

    async def look() -> None:
        async with open_store(other) as store:
            assert isinstance(store, PostgresStore)
            assert await store._pool.run(b"SHOW application_name", {}) == [("desk",)]
            assert (await store.head(ID)).version == 1

    asyncio.run(look())


@pytest.mark.parametrize("error", [kind for kind in vars(pg).values() if isinstance(kind, type)])
def test_no_error_of_the_driver_escapes(error: type) -> None:
    if issubclass(error, pg.Error):
        for failed in (
            statement_error(error("why\nso"), "URL", may_have_written=True),
            connecting_error(error("why\nso, geheim"), "URL", "geheim"),
        ):
            assert str(failed).startswith("database URL ")
            assert "\n" not in str(failed)
            assert "geheim" not in str(failed)


def test_a_full_disk_says_so() -> None:
    full = statement_error(pg.DiskFull("could not extend file"), "URL", may_have_written=True)
    assert (type(full), str(full)) == (StoreUnavailable, "database URL cannot grow: the disk is full")
