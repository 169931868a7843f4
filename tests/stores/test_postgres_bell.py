"""The bell of a PostgreSQL store: heard by all who listen, also after its connection was lost, and by nobody after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from fsm_agent.errors import StoreUnavailable
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.urls import open_store
from tests.support.postgres_stores import with_store
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.proxy import Proxy

#: A bell that is never heard fails.
PATIENCE_S = 30
_LISTENS = "FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = 'agents'"


class Ear:
    """Counts what is heard."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def heard(self) -> None:
        self.count += 1
        self._event.set()

    async def wait(self) -> None:
        """Until something was heard since the last time."""
        async with asyncio.timeout(PATIENCE_S):
            await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def listening(store: PostgresStore, *ears: Ear) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(store.listen(ear.heard)) for ear in ears]
    try:
        for ear in ears:
            await ear.wait()
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody tells when a line is logged
        await asyncio.sleep(0)


async def nobody_listens(postgres: PostgresServer) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(postgres.execute, f"SELECT pid {_LISTENS}"):
            pass


def test_all_who_listen_in_a_process_share_one_connection(postgres_url: str) -> None:
    async def listen(store: PostgresStore) -> None:
        first, second, late = Ear(), Ear(), Ear()
        async with listening(store, first, second):
            async with listening(store, late) as [task]:
                assert late.count == 1, "it is told that it listens"
                await store.ring()
                for ear in (first, second, late):
                    await ear.wait()
                assert await store._pool.run(f"SELECT count(*) {_LISTENS}".encode(), {}) == [(1,)]
                assert not task.done()
            await store.ring()
            await first.wait()
            assert late.count == 2

    with_store(postgres_url, listen)


def test_who_is_cancelled_leaves_no_connection_and_may_listen_again(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async def listen(store: PostgresStore) -> None:
        for _ in range(3):
            ear = Ear()
            async with listening(store, ear) as tasks:
                await store.ring()
                await ear.wait()
            assert all(task.cancelled() for task in tasks)
            await nobody_listens(postgres)

    with_store(postgres_url, listen)


def test_who_is_cancelled_before_it_listens_leaves_no_connection(postgres: PostgresServer, postgres_url: str) -> None:
    async def listen(store: PostgresStore) -> None:
        await store.due(0, 1)
        for turns in range(30):
            task = asyncio.create_task(store.listen(Ear().heard))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        await nobody_listens(postgres)

    with_store(postgres_url, listen)


def test_a_session_that_is_ended_is_made_again_and_that_is_told(
    postgres: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(store: PostgresStore) -> None:
        first, second = Ear(), Ear()
        async with listening(store, first, second):
            for _ in range(3):
                before = first.count
                ended = await asyncio.to_thread(postgres.execute, f"SELECT pg_terminate_backend(pid) {_LISTENS}")
                assert ended == [(True,)]
                for ear in (first, second):
                    await ear.wait()
                assert first.count == before + 1
                await store.ring()
                for ear in (first, second):
                    await ear.wait()

    with caplog.at_level(logging.WARNING, "fsm_agent"):
        with_store(postgres_url, listen)
    assert [vars(each)["action"] for each in caplog.records] == ["bell_lost"] * 3
    assert caplog.records[0].message == (
        "the bell is not heard, and until it is workers only look from time to time: "
        f"database {postgres_url} lost the connection"
    )


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_comes_back_is_listened_to_again(
    end: str, postgres: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(store: PostgresStore) -> None:
        ear = Ear()
        async with listening(store, ear):
            await asyncio.to_thread(getattr(postgres, end))
            await asyncio.to_thread(postgres.start)
            await ear.wait()
            await store.ring()
            await ear.wait()

    try:
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            with_store(postgres_url, listen)
    finally:
        postgres.stop()
        postgres.start()
    assert len(caplog.records) == 1, "an outage is told once"


def test_who_listens_while_there_is_no_server_hears_when_there_is(postgres: PostgresServer, postgres_url: str) -> None:
    async def listen(store: PostgresStore) -> None:
        ear = Ear()
        postgres.stop()
        task = asyncio.create_task(store.listen(ear.heard))
        for _ in range(100):
            await asyncio.sleep(0)
        assert ear.count == 0
        await asyncio.to_thread(postgres.start)
        await ear.wait()
        task.cancel()
        await asyncio.wait([task])

    with_store(postgres_url, listen)


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    with Proxy(postgres.port) as proxy:
        yield proxy


def test_what_rang_while_the_network_was_cut_is_told_when_it_is_back(
    proxy: Proxy, postgres: PostgresServer, postgres_url: str
) -> None:
    async def listen(far: PostgresStore) -> None:
        ear = Ear()
        async with listening(far, ear), open_store(postgres_url) as near:
            proxy.cut()
            await near.ring()
            await ear.wait()
            await near.ring()
            await ear.wait()

    with_store(postgres.url("agents", port=proxy.port), listen)


@pytest.mark.parametrize("namespace", ["A", "9.b_c-d", "x" * 128])
def test_a_namespace_of_any_name_has_a_bell_of_its_own(namespace: str, postgres_url: str) -> None:
    async def listen() -> None:
        ear, near = Ear(), namespace.swapcase() + "."
        other, store = (open_store(postgres_url, namespace=each) for each in (near[-128:], namespace))
        async with other, store:
            assert isinstance(store, PostgresStore)
            async with listening(store, ear):
                await other.ring()
                await store.ring()
                await ear.wait()
                assert ear.count == 2

    asyncio.run(listen())


def test_the_bell_is_let_in_like_the_pool_and_no_password_is_told(
    postgres: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.execute("DROP ROLE IF EXISTS bea; CREATE ROLE bea LOGIN SUPERUSER PASSWORD 'richtig'")

    async def listen(store: PostgresStore) -> None:
        ear = Ear()
        async with listening(store, ear):
            await store.ring()
            await ear.wait()

    async def hear_nothing(store: PostgresStore) -> None:
        task = asyncio.create_task(store.listen(Ear().heard))
        async with asyncio.timeout(PATIENCE_S):
            await until(lambda: bool(caplog.records))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    with_store(postgres.url("agents", user="bea:richtig"), listen)
    assert caplog.records == []
    with caplog.at_level(logging.DEBUG, "fsm_agent"):
        with_store(postgres.url("agents", user="bea:geheim"), hear_nothing)
    assert "refuses this user or password" in caplog.text
    assert "geheim" not in caplog.text


def test_a_closed_store_is_not_listened_to(postgres_url: str) -> None:
    async def use() -> None:
        store, ear = open_store(postgres_url), Ear()
        task = asyncio.create_task(store.listen(ear.heard))
        await ear.wait()
        await store.close()
        for listen in (task, store.listen(ear.heard)):
            with pytest.raises(StoreUnavailable, match="is closed already; open the store again"):
                await listen

    asyncio.run(use())


def test_a_listener_that_breaks_ends_with_its_error(postgres: PostgresServer, postgres_url: str) -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    async def listen(store: PostgresStore) -> None:
        with pytest.raises(ZeroDivisionError):
            await store.listen(breaks)
        ear = Ear()
        async with listening(store, ear):
            await store.ring()
            await ear.wait()
        await nobody_listens(postgres)

    with_store(postgres_url, listen)


def test_a_process_says_how_many_connections_it_may_open(postgres_url: str) -> None:
    sessions = b"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'"

    async def count(store: PostgresStore) -> None:
        assert store.max_connections == 4
        async with listening(store, Ear(), Ear(), Ear()):
            await asyncio.gather(*(store.due(0, 1) for _ in range(20)))
            assert await store._pool.run(sessions, {}) == [(4,)]

    with_store(f"{postgres_url}?pool_size=3&application_name=counted", count)
