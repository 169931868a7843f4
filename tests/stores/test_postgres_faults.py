"""A PostgreSQL that vanishes, is slow, or says nothing: callers are told in time, and the store works again after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from fsm_agent.errors import Conflict, StoreUnavailable
from fsm_agent.stores.postgres.pool import address_of
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, keep_definitions
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.proxy import Proxy

UNKNOWN = "lost the connection; whether this was written is unknown, and to repeat it with the same key is safe"


@pytest.fixture
def proxy(postgres: PostgresServer, postgres_url: str) -> Iterator[Proxy]:
    with Proxy(postgres.port) as proxy:
        yield proxy


def through(
    proxy: Proxy, use: Callable[[PostgresStore], Coroutine[Any, Any, None]], *, patience_ms: int = 10_000
) -> None:
    """``use`` a store behind the proxy that has one agent, at version 1, and a connection in its pool."""

    async def run() -> None:
        address = address_of(f"fsm@127.0.0.1:{proxy.port}/agents")
        async with PostgresStore(address, patience_ms=patience_ms) as store:
            await keep_definitions(store)
            await store.create(a_creation())
            async with asyncio.timeout(60):  # a store that waits for ever fails
                await use(store)

    asyncio.run(run())


def test_an_idle_connection_that_was_cut_is_replaced_before_anything_is_sent(proxy: Proxy) -> None:
    async def go_on(store: PostgresStore) -> None:
        for version in range(2, 6):
            proxy.cut()
            await store.commit(a_commit(version))
        proxy.cut()
        assert (await store.head(ID)).version == 5

    through(proxy, go_on)


def test_a_read_whose_answer_is_lost_is_asked_again(proxy: Proxy) -> None:
    async def look(store: PostgresStore) -> None:
        proxy.stall()
        reading = asyncio.ensure_future(store.head(ID))
        await until_sent(store)
        proxy.cut()
        proxy.recover()
        assert (await reading).version == 1

    through(proxy, look)


def test_a_commit_whose_answer_is_lost_is_unknown_and_its_key_tells(proxy: Proxy) -> None:
    async def commit(store: PostgresStore) -> None:
        proxy.swallow_answers()
        with pytest.raises(StoreUnavailable, match=UNKNOWN):
            await store.commit(a_commit(2, key="k"))
        proxy.recover()
        with pytest.raises(Conflict):
            await store.commit(a_commit(2, key="k"))
        outcome = (await store.load(ID, key="k")).outcome
        assert outcome is not None
        assert outcome.version == 2

    through(proxy, commit)


def test_a_commit_that_was_cut_off_before_it_arrived_may_be_repeated(proxy: Proxy) -> None:
    async def commit(store: PostgresStore) -> None:
        proxy.stall()
        committing = asyncio.ensure_future(store.commit(a_commit(2, key="k")))
        await until_sent(store)
        proxy.cut()
        proxy.recover()
        with pytest.raises(StoreUnavailable, match=UNKNOWN):
            await committing
        await store.commit(a_commit(2, key="k"))

    through(proxy, commit)


def test_a_slow_server_is_waited_for(proxy: Proxy) -> None:
    async def go_on(store: PostgresStore) -> None:
        proxy.slow_down(0.05)
        for version in range(2, 5):
            await store.commit(a_commit(version))
        assert (await store.head(ID)).version == 4

    through(proxy, go_on)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_agent.stores.postgres.pool._GRACE_S", 0.1)
    monkeypatch.setattr("fsm_agent.stores.postgres.pool._CONNECT_S", 2)


@pytest.mark.usefixtures("impatient")
def test_a_half_open_connection_is_given_up_in_time_and_the_store_works_again(proxy: Proxy) -> None:
    async def go_on(store: PostgresStore) -> None:
        proxy.stall()
        began_s = time.monotonic()
        verbs = (store.commit(a_commit(2)), store.head(ID))
        outcomes = await asyncio.gather(*verbs, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
        assert "stopped answering; is it overloaded, or the network cut?; whether this was written" in str(outcomes[0])
        assert "cannot be reached: nobody answers there" in str(outcomes[1])
        assert time.monotonic() - began_s < 6
        proxy.cut()
        proxy.recover()
        assert (await store.head(ID)).version == 1
        await store.commit(a_commit(2))

    through(proxy, go_on, patience_ms=300)


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_a_server_that_says_nothing_can_be_cancelled(proxy: Proxy) -> None:
    async def give_up(store: PostgresStore) -> None:
        proxy.stall()
        committing = asyncio.ensure_future(store.commit(a_commit(2)))
        await until_sent(store)
        committing.cancel()
        began_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await committing
        assert time.monotonic() - began_s < 15
        proxy.cut()
        proxy.recover()
        assert not store._pool._lent
        assert (await store.head(ID)).version == 1

    through(proxy, give_up, patience_ms=300)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_vanishes_and_returns_keeps_what_it_acknowledged(
    end: str, postgres: PostgresServer, proxy: Proxy
) -> None:
    async def outlive(store: PostgresStore) -> None:
        acknowledged, unknown = 1, 0
        for _ in range(3):
            driving = asyncio.ensure_future(drive(store))
            while (version := await peek(postgres)) < acknowledged + 20:
                assert not driving.done(), driving.result()
            await asyncio.to_thread(getattr(postgres, end))
            acknowledged, error = await driving
            unknown += "is unknown" in str(error)
            assert version <= acknowledged + 1
            with pytest.raises(StoreUnavailable):
                await store.head(ID)
            await asyncio.to_thread(postgres.start)
            head = await store.head(ID)
            assert acknowledged <= head.version <= acknowledged + 1
            acknowledged = head.version
        assert [step.version for step in await store.history(ID)] == list(range(1, acknowledged + 1))

    try:
        through(proxy, outlive)
    finally:
        postgres.stop()
        postgres.start()


async def drive(store: PostgresStore) -> tuple[int, StoreUnavailable]:
    """Commit until it fails: the last version that was acknowledged, and why no more."""
    version = (await store.head(ID)).version
    while True:
        try:
            await store.commit(a_commit(version + 1, key=f"k{version + 1}"))
        except StoreUnavailable as error:
            return version, error
        version += 1


async def peek(postgres: PostgresServer) -> int:
    """The version, by another way than the proxy."""
    (row,) = await asyncio.to_thread(postgres.execute, "SELECT version FROM fsm_agent.agents", "agents")
    return int(row[0])


async def until_sent(store: PostgresStore) -> None:
    """The task that was made last has taken its connection and waits for the answer."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert store._pool._lent
