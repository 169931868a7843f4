"""The bell of Redis: heard on a connection of its own, which is made again whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from fsm_agent.errors import StoreError, StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores import bell as server_bell
from fsm_agent.stores.base import Store
from fsm_agent.stores.redis import bell
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions
from tests.support.runtime import until
from tests.support.servers.proxy import Proxy
from tests.support.servers.redis import QUICK, RedisServer

_PATIENCE_S = 60


class Ear:
    """What a worker hears; it forgets that when it is asked for the next."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def next(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            await self.heard.wait()
        self.heard.clear()


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(store.listen(ear.heard.set))
    try:
        yield ear
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def with_store(url: str, use: Callable[[Store], Awaitable[object]]) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            await use(store)

    asyncio.run(run())


def listeners(server: RedisServer) -> int:
    return len(server.execute("CLIENT", "LIST", "TYPE", "pubsub").splitlines())


async def refused(act: Awaitable[None], kind: type[StoreError]) -> str:
    with pytest.raises(kind) as error:
        await act
    return str(error.value)


@pytest.fixture(scope="module")
def mortal() -> Iterator[RedisServer]:
    """One that may be stopped."""
    with RedisServer() as server:
        yield server


def test_who_listens_is_called_again_whenever_the_connection_was_lost(
    redis_url: str, redis_server: RedisServer
) -> None:
    async def use(store: Store) -> None:
        async with listening(store) as ear:
            await ear.next()
            for _ in range(3):
                assert redis_server.execute("CLIENT", "KILL", "TYPE", "pubsub") == 1
                await ear.next()
                await store.ring()
                await ear.next()
            assert listeners(redis_server) == 1
        await until(lambda: listeners(redis_server) == 0)

    with_store(redis_url, use)


def test_who_listens_no_more_takes_nobody_along(redis_url: str, redis_server: RedisServer) -> None:
    async def use(store: Store) -> None:
        async with listening(store) as ear:
            await ear.next()
            async with listening(store) as other:
                await other.next()
                assert not ear.heard.is_set()
            await store.ring()
            await ear.next()
            assert not other.heard.is_set()
            assert listeners(redis_server) == 1
        await until(lambda: listeners(redis_server) == 0)
        async with listening(store) as ear:
            await ear.next()

    with_store(redis_url, use)


def test_a_server_that_was_started_again_is_listened_to_again(
    mortal: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(store: Store) -> None:
        async with listening(store) as ear:
            await ear.next()
            await asyncio.to_thread(mortal.kill)
            await until(lambda: bool(caplog.records))
            await asyncio.to_thread(mortal.start)
            await ear.next()
            await store.ring()
            await ear.next()

    with caplog.at_level(logging.WARNING, "fsm_agent"):
        with_store(mortal.url(), use)
    (warned,) = caplog.records
    assert vars(warned)["action"] == "bell_lost"
    assert warned.getMessage().startswith(
        "the bell is not heard, and until it is workers only look from time to time: the Redis server at "
    )


def test_a_server_that_is_away_for_long_is_said_to_be_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_bell, "_FIRST_PAUSE_S", 0.001)
    calls = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    async def use() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with open_store(f"redis://127.0.0.1:{port}/0") as store, listening(store) as ear:
                await until(lambda: calls > 5)
                assert not ear.heard.is_set()

    asyncio.run(use())
    assert [vars(record)["action"] for record in caplog.records] == ["bell_lost"]


def test_a_server_that_is_away_at_first_is_waited_for(mortal: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def use(store: Store) -> None:
        await asyncio.to_thread(mortal.stop)
        async with listening(store) as ear:
            await until(lambda: bool(caplog.records))
            assert not ear.heard.is_set()
            await asyncio.to_thread(mortal.start)
            await ear.next()

    with_store(mortal.url(), use)


@pytest.mark.usefixtures("redis_url")
def test_a_connection_that_went_silent_is_given_up(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bell, "SILENCE_S", 0.05)
    monkeypatch.setattr(bell, "PATIENCE_S", 0.5)

    async def use(proxy: Proxy, store: Store) -> None:
        async with listening(store) as ear:
            await ear.next()
            proxy.stall()
            await until(lambda: bool(caplog.records))  # it has hung up, and cannot connect
            proxy.recover()
            await ear.next()
            pings = redis_server.execute("INFO", "commandstats")["cmdstat_ping"]["calls"]
            await until(lambda: redis_server.execute("INFO", "commandstats")["cmdstat_ping"]["calls"] > pings + 3)
            assert not ear.heard.is_set(), "it is tried, and stays"

    with Proxy(redis_server.port) as proxy:
        with_store(redis_server.url(port=proxy.port), lambda store: use(proxy, store))


def test_a_closed_store_is_not_listened_to(redis_url: str, redis_server: RedisServer) -> None:
    async def use() -> None:
        store, ear = open_store(redis_url), Ear()
        task = asyncio.create_task(store.listen(ear.heard.set))
        await ear.next()
        await store.close()
        closed = f"the store {redis_url} is closed already; open the store again"
        for listen in (task, store.listen(ear.heard.set), store.ring()):
            async with asyncio.timeout(_PATIENCE_S):
                assert await refused(listen, StoreUnavailable) == closed
        await until(lambda: listeners(redis_server) == 0)

    asyncio.run(use())


def test_who_may_not_listen_is_told_what_is_needed(redis_url: str, redis_server: RedisServer) -> None:
    async def use(store: Store) -> None:
        for act in (store.listen(Ear().heard.set), store.ring()):
            assert "grant it the keys and the channels fsm-agent:*" in await refused(act, StoreUnavailable)

    async def use_granted(store: Store) -> None:
        async with listening(store) as ear:
            await ear.next()
            await store.ring()
            await ear.next()

    rights = ("~fsm-agent:*", "+@all", "-@dangerous", "+info")
    redis_server.execute("ACL", "SETUSER", "ana", "on", ">secret", *rights, "resetchannels")
    try:
        with_store(redis_server.url(user="ana:secret@"), use)
        redis_server.execute("ACL", "SETUSER", "ana", "&fsm-agent:*")
        with_store(redis_server.url(user="ana:secret@"), use_granted)
    finally:
        redis_server.execute("ACL", "DELUSER", "ana")


def test_a_password_is_told_to_the_bell_as_well() -> None:
    with RedisServer({**QUICK, "requirepass": "sesame"}) as server:

        async def use_wrong(store: Store) -> None:
            said = await refused(store.listen(Ear().heard.set), StoreUrlInvalid)
            assert "refuses the user or the password of the URL" in said

        async def use(store: Store) -> None:
            async with listening(store) as ear:
                await ear.next()

        with_store(server.url(user=":secret@"), use_wrong)
        with_store(server.url(user=":sesame@"), use)


def test_a_store_has_three_connections_at_the_most(redis_url: str, redis_server: RedisServer) -> None:
    def connections() -> int:
        return len(redis_server.execute("CLIENT", "LIST").splitlines()) - 1  # without the one that asks

    async def use(store: Store) -> None:
        await until(lambda: connections() == 0)
        async with listening(store) as ear, listening(store) as other:
            await ear.next()
            await other.next()
            await keep_definitions(store)
            names = [f"agent-{number}" for number in range(50)]
            await asyncio.gather(*(store.create(a_creation(name)) for name in names))
            await asyncio.gather(*(store.load(name) for name in names))
            await store.ring()
            await ear.next()
            await other.next()
            assert connections() == store.max_connections == 3

    with_store(redis_url, use)
