"""Sessions listen for answers as long as they live, whoever else talks on their connection, and however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fsm_agent.stores.postgres.connection import Session
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.proxy import Proxy

#: A session that waits for ever fails.
PATIENCE_S = 30
ONE = (b"SELECT %(n)s::bigint + 1", {"n": 1})


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often somebody begins to listen."""

    listened = 0

    def add_reader(self, *args: Any) -> Any:  # type: ignore[override]
        self.listened += 1
        return super().add_reader(*args)


def with_session(url: str, use: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        session = Session(await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await use(session)
        finally:
            session.close()

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(run())


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await turns(1)


async def turns(count: int) -> None:
    """Of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def proxied(postgres: PostgresServer) -> Iterator[tuple[Proxy, str]]:
    with Proxy(postgres.port) as proxy:
        yield proxy, postgres.url(port=proxy.port)


def test_a_session_begins_to_listen_once_for_all_its_statements(postgres: PostgresServer) -> None:
    async def ask(session: Session) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        await session.run(*ONE)
        before = loop.listened
        for _ in range(20):
            assert await session.run(*ONE) == [(2,)]
        assert loop.listened == before

    with_session(postgres.url(), ask)


def test_who_talks_on_the_connection_in_the_drivers_way_disturbs_nobody(postgres: PostgresServer) -> None:
    async def ask(session: Session) -> None:
        for number in range(4):
            assert await session.run(*ONE) == [(2,)]
            async with session.connection.transaction():
                await session.connection.execute("SELECT set_config('fsm.test', %s, true)", (str(number),))
                assert await session.run(b"SELECT current_setting('fsm.test')", {}) == [(str(number),)]
                assert not session.is_between_transactions
            async with session.connection.cursor().copy("COPY (SELECT generate_series(1, 9)) TO STDOUT") as copy:
                assert len([row async for row in copy.rows()]) == 9
            assert session.is_between_transactions

    with_session(postgres.url(), ask)


def test_what_the_server_tells_besides_reaches_whoever_listens_for_it(postgres: PostgresServer) -> None:
    async def ask(session: Session) -> None:
        heard: list[str] = []
        session.connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
        session.connection.add_notify_handler(lambda notification: heard.append(notification.payload))
        await session.run(b"DO $$ BEGIN RAISE NOTICE 'a notice'; END $$", {})
        await session.run(b"LISTEN bell", {})
        await session.run(b"NOTIFY bell, 'rung'", {})
        assert await session.run(*ONE) == [(2,)]
        await session.connection.execute("SELECT 1")
        assert heard == ["a notice", "rung"]

    with_session(postgres.url(), ask)


def test_a_statement_that_the_socket_does_not_take_at_once_arrives_whole(proxied: tuple[Proxy, str]) -> None:
    proxy, url = proxied
    text = "x" * 30_000_000

    async def ask(session: Session) -> None:
        proxy.stall()
        asking = asyncio.ensure_future(session.run(b"SELECT %(text)s", {"text": text}))
        await asyncio.sleep(0)
        proxy.recover()
        assert await asking == [(text,)]
        assert await session.run(*ONE) == [(2,)]

    with_session(url, ask)


def test_a_statement_that_is_cut_off_while_it_is_sent_fails(proxied: tuple[Proxy, str]) -> None:
    proxy, url = proxied

    async def ask(session: Session) -> None:
        proxy.stall()
        asking = asyncio.ensure_future(session.run(b"SELECT %(text)s", {"text": "x" * 30_000_000}))
        await asyncio.sleep(0)
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            await asking

    with_session(url, ask)


def test_a_statement_whose_caller_is_cancelled_is_given_up_by_the_server(postgres: PostgresServer) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    async def ask(session: Session) -> None:
        async with await psycopg.AsyncConnection.connect(postgres.url()) as other:
            await other.execute("SELECT pg_advisory_xact_lock(7)")
            asking = asyncio.ensure_future(session.run(b"SELECT pg_advisory_lock(7)", {}))
            await until(lambda: postgres.execute(waiting) == [(1,)])
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert postgres.execute(waiting) == [(0,)]
            assert session.is_between_transactions, "it was heard out"
            assert await session.run(*ONE) == [(2,)]

    with_session(postgres.url(), ask)


def test_a_server_that_hangs_up_on_an_idle_session_is_noticed_once(postgres: PostgresServer) -> None:
    async def ask(session: Session) -> None:
        ((pid,),) = await session.run(b"SELECT pg_backend_pid()", {})
        assert session.is_quiet
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        await until(lambda: not session.is_quiet)
        await turns(3)
        assert not asyncio.get_running_loop()._selector.select(0), "nothing turns round and round"  # type: ignore[attr-defined]
        with pytest.raises(psycopg.OperationalError):
            await session.run(*ONE)

    with_session(postgres.url(), ask)


def test_a_session_that_was_closed_leaves_nothing_open(postgres: PostgresServer) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def ask(session: Session) -> None:
        await session.run(*ONE)

    with_session(postgres.url(), ask)
    before = opened()
    for _ in range(3):
        with_session(postgres.url(), ask)
    assert opened() == before
