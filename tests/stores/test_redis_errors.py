"""A Redis server that cannot serve says so in one sentence that names it, and nothing is half-written."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from redis import exceptions

from fsm_agent.errors import StoreError, StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores.base import Store
from fsm_agent.stores.redis.errors import answered, unreachable
from fsm_agent.stores.redis.startup import risks
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, all_of, keep_definitions
from tests.support.servers.redis import QUICK, RedisServer

Work = Callable[[Store], Coroutine[Any, Any, None]]


def with_store(url: str, work: Work) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            await work(store)

    asyncio.run(run())


async def make(store: Store) -> None:
    await keep_definitions(store)
    await store.create(a_creation())


async def refused(step: Coroutine[Any, Any, Any], kind: type[StoreError] = StoreUnavailable) -> str:
    """The sentence with which a verb is refused."""
    with pytest.raises(kind) as error:
        await step
    sentence = str(error.value)
    assert "\n" not in sentence
    assert "secret" not in sentence
    return sentence


@contextmanager
def configured(server: RedisServer, **settings: str) -> Iterator[None]:
    names = {name.replace("_", "-"): value for name, value in settings.items()}
    before = {name: server.execute("CONFIG", "GET", name)[name] for name in names}
    for name, value in names.items():
        server.execute("CONFIG", "SET", name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            server.execute("CONFIG", "SET", name, value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://", "a redis:// URL is wrong (it names no host): write redis://[user:password@]host:port/db"),
        ("redis://:secret@/0", "it names no host"),
        ("redis://localhost/agents", "its path is no number"),
        ("redis://localhost/0/1", "its path is no number"),
        ("redis://ana:secret@localhost:port/0", "it cannot be read"),
        ("redis://ana:sec/ret@localhost/0", "in a password write '/' as %2F"),
        ("redis://localhost:99999/0", "it cannot be read"),
        ("redis://localhost/0?patience=3", "it has the unknown option 'patience'"),
        ("redis://localhost/0?socket_timeout=long", "it cannot be read"),
        ("redis+unix://", "a redis+unix:// URL is wrong (it names no socket)"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_before_anybody_is_asked(url: str, sentence: str) -> None:
    with pytest.raises(StoreUrlInvalid) as error:
        open_store(url)
    assert sentence in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_url_is_shown_without_its_password_and_its_options() -> None:
    shown = {
        "redis://localhost": "redis://localhost:6379/0",
        "redis://ana:secret@[::1]:7000/3": "redis://ana:***@[::1]:7000/3",
        "redis://:secret@host/": "redis://:***@host:6379/0",
        "redis://ana@host/1?password=secret": "redis://ana@host:6379/1",
        "rediss://ana:s%40cret@host:1/2": "rediss://ana:***@host:1/2",
        "redis+unix:///run/redis.sock?db=3&password=secret": "redis+unix:///run/redis.sock",
    }
    assert {url: open_store(url).url for url in shown} == shown


def test_nobody_at_the_address_is_said_to_be_so() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://ana:secret@127.0.0.1:{nobody.getsockname()[1]}/0"

        async def look(store: Store) -> None:
            for verb in (store.list(), store.commit(a_commit(2)), store.now()):
                sentence = await refused(verb)
                assert sentence.startswith(f"the Redis server at {url.replace('secret', '***')} cannot be reached, so ")
                assert "Connect call failed" in sentence or "refused" in sentence.lower()

        with_store(url, look)


def test_an_unknown_host_is_said_to_be_so() -> None:
    async def look(store: Store) -> None:
        assert "redis://no.such.host.invalid:6379/0 cannot be reached" in await refused(store.list())

    with_store("redis://no.such.host.invalid/0", look)


def test_a_closed_store_says_so(redis_url: str) -> None:
    async def use() -> None:
        store = open_store(redis_url)
        await make(store)
        await store.close()
        for verb in (store.head(ID), store.commit(a_commit(2)), store.load(ID), store.list()):
            assert await refused(verb) == f"the store {redis_url} is closed already; open the store again"

    asyncio.run(use())


def test_a_socket_serves_as_well(redis_url: str, redis_server: RedisServer) -> None:
    with_store(f"redis+unix://{redis_server.socket}", make)
    with_store(redis_url, lambda store: _sees(store, 1))


async def _sees(store: Store, version: int) -> None:
    assert (await store.load(ID)).head.version == version


def test_passwords_are_asked_for_and_refused() -> None:
    with RedisServer({**QUICK, "requirepass": "open sesame"}) as server:

        async def without(store: Store) -> None:
            sentence = await refused(store.list(), StoreUrlInvalid)
            assert sentence == (
                f"the Redis server at {server.url()} and the URL do not agree on whether there is a password; "
                "write redis://user:password@host:port/db"
            )

        async def wrong(store: Store) -> None:
            for verb in (store.list(), store.commit(a_commit(2))):
                assert "refuses the user or the password of the URL" in await refused(verb, StoreUrlInvalid)

        with_store(server.url(), without)
        with_store(server.url(user=":secret@"), wrong)
        with_store(server.url(user="ana:secret@"), wrong)
        with_store(server.url(user=":open%20sesame@"), make)


def test_a_user_who_may_not_do_everything_is_told_what_is_needed(redis_url: str, redis_server: RedisServer) -> None:
    with_store(redis_url, make)
    redis_server.execute("ACL", "SETUSER", "ana", "on", ">secret", "~fsm-agent:*", "+@all", "-hset")

    async def write(store: Store) -> None:
        before = await all_of(store)
        assert "does not allow this user what a store needs; grant it" in await refused(store.commit(a_commit(2)))
        assert await all_of(store) == before

    try:
        with_store(redis_server.url(user="ana:secret@"), write)
    finally:
        redis_server.execute("ACL", "DELUSER", "ana")


def test_a_full_server_refuses_every_write_whole(redis_url: str, redis_server: RedisServer) -> None:
    async def fill(store: Store) -> None:
        await make(store)
        before = await all_of(store)
        head = await store.head(ID)
        with configured(redis_server, maxmemory="1"):
            for verb in (store.commit(a_commit(2, key="k")), store.commit(a_commit(2, epoch=None))):
                assert "is full: it has reached its maxmemory, and nothing was written" in await refused(verb)
            await refused(store.create(a_creation("other")))
            assert await all_of(store) == before
            await store.delete(head)

    with_store(redis_url, fill)


def test_a_replica_is_told_from_its_master(redis_url: str, redis_server: RedisServer) -> None:
    async def write(store: Store) -> None:
        await make(store)
        redis_server.execute("REPLICAOF", "127.0.0.1", 1)
        try:
            assert "is a replica that only reads; name its master" in await refused(store.commit(a_commit(2)))
            assert (await store.head(ID)).version == 1
        finally:
            redis_server.execute("REPLICAOF", "NO", "ONE")

    with_store(redis_url, write)


def test_a_server_that_cannot_write_its_files_refuses_steps() -> None:
    with RedisServer({"appendonly": "no", "save": "3600 1000000"}) as server:

        async def write(store: Store) -> None:
            await make(store)
            (server.folder / "dump.rdb" / "in the way").mkdir(parents=True)
            server.execute("BGSAVE")
            until_s = time.monotonic() + 20
            while server.execute("INFO", "persistence")["rdb_last_bgsave_status"] != "err":
                assert time.monotonic() < until_s
                await asyncio.sleep(0.01)
            before = await all_of(store)
            assert "refuses to write, since it cannot write its own files" in await refused(store.commit(a_commit(2)))
            assert await all_of(store) == before

        with_store(server.url(), write)


def test_a_server_that_is_busy_with_a_script_says_so(redis_url: str, redis_server: RedisServer) -> None:
    async def write(store: Store) -> None:
        await make(store)
        with configured(redis_server, lua_time_limit="50"):
            endless = threading.Thread(target=_loop_for_ever, args=(redis_server,))
            endless.start()
            until_s = time.monotonic() + 20
            while not _is_busy(redis_server):
                assert time.monotonic() < until_s
                await asyncio.sleep(0.01)
            try:
                assert "is busy with a script that does not end" in await refused(store.commit(a_commit(2)))
            finally:
                redis_server.execute("SCRIPT", "KILL")
                endless.join(10)
        await store.commit(a_commit(2))

    with_store(redis_url, write)


def _loop_for_ever(server: RedisServer) -> None:
    with pytest.raises(redis.ResponseError):
        server.execute("EVAL", "while true do end", 0)


def _is_busy(server: RedisServer) -> bool:
    try:
        server.execute("PING")
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


def test_a_cluster_that_does_not_cover_the_namespace_says_so() -> None:
    with RedisServer({**QUICK, "cluster-enabled": "yes"}) as server:

        async def look(store: Store) -> None:
            for verb in (store.list(), store.save_workflow("h", {})):
                assert "is a cluster of which no node serves this namespace now" in await refused(verb)

        with_store(server.url(), look)

        async def look_elsewhere(store: Store) -> None:
            assert "is a cluster, which has database 0 alone" in await refused(store.list(), StoreUrlInvalid)

        with_store(server.url(3), look_elsewhere)


def test_a_database_that_there_is_not_is_said_to_be_so(redis_server: RedisServer) -> None:
    async def look(store: Store) -> None:
        assert "has no such database; name a lower number" in await refused(store.list(), StoreUrlInvalid)

    with_store(redis_server.url(77), look)


@pytest.mark.parametrize("error", [kind for kind in vars(exceptions).values() if isinstance(kind, type)])
def test_no_error_of_the_driver_escapes(error: type) -> None:
    if issubclass(error, redis.RedisError):
        arguments = ("1 127.0.0.1:7000",) if issubclass(error, exceptions.AskError) else ("why",)
        made = error(*arguments)
        for sentence in (str(answered(made, "redis://h:1/0")), str(unreachable(made, "redis://h:1/0"))):
            assert sentence.startswith("the Redis server at redis://h:1/0 ")
            assert "\n" not in sentence


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("LOADING Redis is loading the dataset in memory", "is reading its files after a start"),
        ("NOREPLICAS Not enough good replicas to write.", "too few of its replicas"),
        ("MASTERDOWN Link with MASTER is down", "is a replica that has lost its master"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "keeps the keys of one hash tag apart"),
        ("ERR max number of clients reached", "has no room for one more client"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "no node serves this namespace now"),
        # as a server before version 7 wraps what a command says in a script
        ("ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed when", "is full"),
        ("ERR Error running script (call to f_1): @user_script:9: WRONGTYPE Operation against", "something else"),
        ("ERR something new", "failed: 'ERR something new'"),
    ],
)
def test_what_a_server_says_is_said_in_our_words(said: str, means: str) -> None:
    assert means in str(answered(redis.ResponseError(said), "redis://h:1/0"))


def test_a_script_that_fails_has_found_what_is_not_of_ours() -> None:
    failing = "ERR user_script:12: attempt to index a nil value script: 0a, on @user_script:12."
    assert "keeps something else where this store's keys should be" in str(
        answered(redis.ResponseError(failing), "redis://h:1/0")
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "noeviction"}, None),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "about the last second of acknowledged steps; set `append"),
        ({"appendonly": "yes", "appendfsync": "no"}, "about half a minute of acknowledged steps"),
        ({"appendonly": "no", "appendfsync": "always"}, "keeps data in memory only (appendonly is no)"),
        ({}, "does not tell how it keeps data (CONFIG is not allowed)"),
        (
            {"appendonly": "yes", "appendfsync": "always", "maxmemory": "1", "maxmemory-policy": "allkeys-lru"},
            "throws agents away when it is full (maxmemory-policy is allkeys-lru); set it to noeviction",
        ),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "1", "maxmemory-policy": "volatile-lru"}, None),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "allkeys-lru"}, None),
    ],
)
def test_what_may_be_lost_is_said_with_what_to_set(settings: dict[str, str], sentence: str | None) -> None:
    found = risks(settings)
    assert len(found) == (sentence is not None)
    assert all(sentence is not None and sentence in each for each in found)


def test_a_process_is_warned_once_of_each_server(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fsm_agent.stores.redis.startup._told", set())
    with caplog.at_level(logging.WARNING, logger="fsm_agent"):
        for _ in range(3):
            with_store(redis_url, make if not caplog.records else lambda store: _sees(store, 1))
    (warned,) = caplog.records
    assert warned.getMessage().startswith(f"the store {redis_url} keeps data in memory only (appendonly is no): a ")


def test_where_the_settings_are_hidden_nobody_claims_to_know_them(
    redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fsm_agent.stores.redis.startup._told", set())
    redis_server.execute("ACL", "SETUSER", "ana", "on", ">secret", "~fsm-agent:*", "+@all", "-@dangerous", "+info")
    try:
        with caplog.at_level(logging.WARNING, logger="fsm_agent"):
            with_store(redis_server.url(user="ana:secret@"), make)
    finally:
        redis_server.execute("ACL", "DELUSER", "ana")
    (warned,) = caplog.records
    assert "does not tell how it keeps data (CONFIG is not allowed)" in warned.getMessage()
    assert "secret" not in warned.getMessage()
