"""Connections that break, stall, are slow or are left: what is acknowledged stays, and what is unknown is said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from fsm_agent.domain.step import KeyOutcome
from fsm_agent.errors import Conflict, StoreUnavailable
from fsm_agent.stores.base import Store
from fsm_agent.stores.redis import connection as redis_wire
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, keep_definitions
from tests.support.servers.proxy import Proxy
from tests.support.servers.redis import DURABLE, RedisServer

#: What a write says that was sent and not answered.
UNKNOWN = "whether this was written is unknown, and it is safe to repeat it with the same key"
NAMES = [f"agent-{number}" for number in range(8)]


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    redis_server.execute("FLUSHALL")
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long enough for a test."""
    monkeypatch.setattr(redis_wire, "PATIENCE_S", 0.5)


@pytest.fixture(scope="module")
def durable() -> Iterator[RedisServer]:
    with RedisServer(DURABLE) as server:
        yield server


async def made(store: Store) -> None:
    await keep_definitions(store)
    await store.create(a_creation())


def test_a_connection_that_ended_while_nobody_used_it_is_found_before_it_is_used(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            for version in range(2, 6):
                await asyncio.to_thread(proxy.cut)
                await store.commit(a_commit(version))
                await asyncio.to_thread(proxy.cut)
                assert (await store.load(ID)).head.version == version

    asyncio.run(work())


def test_a_write_that_is_not_answered_is_not_sent_again_and_its_key_tells_what_became_of_it(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            redis_server.execute("CONFIG", "RESETSTAT")
            proxy.swallow_answers()
            with pytest.raises(StoreUnavailable) as unknown:
                await store.commit(a_commit(2, key="k", fingerprint="f"))
            assert UNKNOWN in str(unknown.value)
            assert redis_server.execute("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == 1
            proxy.recover()
            assert (await store.load(ID, key="k")).outcome == KeyOutcome(2, "f")
            with pytest.raises(Conflict):
                await store.commit(a_commit(2, key="k", fingerprint="f"))

    asyncio.run(work())


def test_a_read_whose_connection_breaks_is_asked_once_more(proxy: Proxy, redis_server: RedisServer) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            for verb in (store.load, store.head, store.history):
                await verb(ID)
                proxy.slow_down(0.1)
                asking = asyncio.create_task(verb(ID))
                await asyncio.sleep(0)  # now it is on its way
                await asyncio.to_thread(proxy.cut)
                proxy.slow_down(0)
                assert await asking == await verb(ID)

    asyncio.run(work())


@pytest.mark.usefixtures("impatient")
def test_a_half_open_connection_is_given_up_in_time(proxy: Proxy, redis_server: RedisServer) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            proxy.stall()
            with pytest.raises(StoreUnavailable, match=UNKNOWN):
                await store.commit(a_commit(2))
            proxy.recover()
            await asyncio.to_thread(proxy.cut)
            version = (await store.load(ID)).head.version
            await store.commit(a_commit(version + 1))

    asyncio.run(work())


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_went_silent_is_tried_before_a_write_is_trusted_to_it(
    proxy: Proxy, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            monkeypatch.setattr(redis_wire, "IDLE_S", -1)
            proxy.stall()
            with pytest.raises(StoreUnavailable) as unsent:
                await store.commit(a_commit(2))
            assert UNKNOWN not in str(unsent.value)
            assert "cannot be reached, so nothing was changed" in str(unsent.value)
            await asyncio.to_thread(proxy.cut)
            proxy.recover()
            await store.commit(a_commit(2))

    asyncio.run(work())


def test_a_slow_connection_serves(proxy: Proxy, redis_server: RedisServer) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            proxy.slow_down(0.02)
            await made(store)
            for version in range(2, 5):
                await store.commit(a_commit(version))
            assert (await store.load(ID)).head.version == 4

    asyncio.run(work())


def test_a_caller_that_is_cancelled_leaves_no_answer_behind_for_the_next(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    async def work() -> None:
        async with open_store(redis_server.url(port=proxy.port)) as store:
            await made(store)
            await store.create(a_creation("other"))
            proxy.slow_down(0.02)
            for crowd in (1, 3):
                asking = [asyncio.create_task(store.head("other")) for _ in range(crowd)]
                await asyncio.sleep(0.01)
                for task in asking:
                    task.cancel()
                assert (await store.head(ID)).id == ID
                assert await asyncio.gather(*asking, return_exceptions=True) != []
            # whoever is cancelled takes nobody along
            asking = [asyncio.create_task(store.head(each)) for each in (ID, "other", ID, "other")]
            await asyncio.sleep(0.01)
            asking[1].cancel()
            heads = await asyncio.gather(*asking, return_exceptions=True)
            assert isinstance(heads[1], asyncio.CancelledError)
            assert [head.id for head in heads if not isinstance(head, BaseException)] == [ID, ID, "other"]

    asyncio.run(work())


def test_a_store_that_is_closed_waits_for_those_who_are_on_their_way(proxy: Proxy, redis_server: RedisServer) -> None:
    async def work() -> None:
        store = open_store(redis_server.url(port=proxy.port))
        await made(store)
        proxy.slow_down(0.02)
        asking = [asyncio.create_task(verb) for verb in (store.commit(a_commit(2)), store.head(ID), store.history(ID))]
        await asyncio.sleep(0)
        await store.close()
        committed, head, history = await asyncio.gather(*asking)
        assert (committed.epoch, head.id, len(history)) in {(1, ID, 1), (1, ID, 2)}

    asyncio.run(work())


def test_callers_share_round_trips(redis_server: RedisServer) -> None:
    async def work() -> None:
        redis_server.execute("FLUSHALL")
        async with open_store(redis_server.url()) as store:
            await keep_definitions(store)
            names = [f"agent-{number}" for number in range(50)]
            await asyncio.gather(*(store.create(a_creation(name)) for name in names))
            before = redis_server.execute("INFO", "stats")["total_reads_processed"]
            for version in range(2, 6):
                commits = (store.commit(a_commit(version, head={"id": name})) for name in names)
                await asyncio.gather(*commits)
            reads = redis_server.execute("INFO", "stats")["total_reads_processed"] - before
            assert reads < 40, "of 200 commits"

    asyncio.run(work())


def test_of_what_was_acknowledged_nothing_is_lost_when_the_server_is_killed(durable: RedisServer) -> None:
    async def drive(store: Store, name: str, acknowledged: dict[str, int], well_under_way: asyncio.Event) -> None:
        await store.create(a_creation(name))
        acknowledged[name] = 1
        while True:
            await store.commit(a_commit(acknowledged[name] + 1, head={"id": name}, key=f"k{acknowledged[name] + 1}"))
            acknowledged[name] += 1
            if min(acknowledged.values()) == 20:
                well_under_way.set()

    async def work() -> None:
        acknowledged, well_under_way = dict.fromkeys(NAMES, 0), asyncio.Event()
        async with open_store(durable.url()) as store:
            await keep_definitions(store)
            driving = [asyncio.create_task(drive(store, name, acknowledged, well_under_way)) for name in NAMES]
            await well_under_way.wait()
            await asyncio.to_thread(durable.kill)
            outcomes = await asyncio.gather(*driving, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
            await asyncio.to_thread(durable.start)
            for name in NAMES:
                history = await store.history(name)
                assert [step.version for step in history] == list(range(1, len(history) + 1))
                assert acknowledged[name] <= len(history) <= acknowledged[name] + 1
                is_known = (await store.load(name, key=f"k{acknowledged[name] + 1}")).outcome is not None
                assert is_known == (len(history) > acknowledged[name]), "an unknown outcome is told by its key"
                await store.commit(a_commit(len(history) + 1, head={"id": name}))

    asyncio.run(work())


def test_a_server_that_was_started_again_is_found_by_the_next_verb(durable: RedisServer) -> None:
    async def work() -> None:
        durable.execute("FLUSHALL")
        async with open_store(durable.url()) as store:
            await made(store)
            await asyncio.to_thread(durable.restart)
            await store.commit(a_commit(2))
            await asyncio.to_thread(durable.restart)
            assert (await store.load(ID)).head.version == 2

    asyncio.run(work())
