"""Agents in a Redis server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from fsm_agent.domain.agent import Status
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.record import AppendedMessages, Origin, Snapshot
from fsm_agent.domain.step import Delta
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentDamaged, StoreCorrupt, StoreTooNew, StoreUnavailable
from fsm_agent.stores.base import Store
from fsm_agent.stores.redis.keys import agent_keys, space_keys, thread_key
from fsm_agent.stores.redis.startup import MIGRATIONS, refuse_old, schema
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import DurableStoreContract
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    ORDER,
    PING,
    REFUND,
    a_commit,
    a_creation,
    a_head,
    all_of,
    an_effect,
    in_loop,
    keep_definitions,
)
from tests.support.servers.redis import RedisServer
from tests.support.thread_verbs import HELLO, ROOM, use_every_thread_verb

#: the scripts, by the verbs that say them
WRITING = {"save_workflow", "create", "commit", "enqueue", "claim", "hold", "attempt", "begin_effect", "end_effect"} | {
    "take",
    "renew_all",
    "shorten",
    "delete",
    "adopt",
    "append",
    "revise",
    "retract",
    "save_user",
}
READING = {"load", "history", "origin", "effects", "size", "dump", "messages"}


class TestRedisStore(DurableStoreContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url

    @in_loop
    async def test_scripts_touch_the_keys_that_they_are_given_and_no_other(
        self, store: Store, redis_server: RedisServer
    ) -> None:
        await say_every_verb(store)  # from now on the server knows the scripts
        await store.delete(await store.head(ID))
        redis_server.execute("DEL", space_keys("default").users)
        with overheard(redis_server) as said:
            await say_every_verb(store)
        assert len({command[1] for command in said if command[0] == "EVALSHA"}) == len(WRITING | READING)
        assert strangers(said) == []

    @in_loop
    async def test_no_verb_walks_over_what_the_server_holds(self, store: Store, redis_server: RedisServer) -> None:
        redis_server.execute("CONFIG", "RESETSTAT")
        await say_every_verb(store)
        said = redis_server.execute("INFO", "commandstats")
        assert "cmdstat_evalsha" in said
        assert {"cmdstat_keys", "cmdstat_scan", "cmdstat_hscan", "cmdstat_zscan", "cmdstat_sort"} & set(said) == set()

    @in_loop
    async def test_a_deleted_agent_leaves_no_key_behind(self, store: Store, redis_server: RedisServer) -> None:
        space = space_keys("default")
        before = sorted(redis_server.execute("KEYS", "*"))
        assert before == sorted([space.schema, space.workflows])
        await say_every_verb(store)
        await store.delete(await store.head(ID))
        shared = [space.users, space.named, thread_key("default", ROOM)]
        assert sorted(redis_server.execute("KEYS", "*")) == sorted([*before, *shared])

    @in_loop
    async def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(
        self, store: Store, redis_server: RedisServer
    ) -> None:
        await store.create(a_creation())
        redis_server.execute("SCRIPT", "FLUSH")
        await store.commit(a_commit(2))
        redis_server.execute("SCRIPT", "FLUSH")
        assert (await store.load(ID)).head.version == 2

    @in_loop
    async def test_what_is_half_there_refuses_a_step_before_anything_is_written(
        self, store: Store, redis_server: RedisServer
    ) -> None:
        await store.create(a_creation(status=Status.RUNNING))
        before = await all_of(store)
        space, said = (
            space_keys("default"),
            (AppendedMessages(own_thread(ID), (HELLO,)), AppendedMessages(ROOM, (HELLO,))),
        )
        threads = [thread_key("default", each.thread) for each in said]
        for spoilt in (space.due, space.held, space.listed, space.users, space.named, *threads):
            is_there = redis_server.execute("EXISTS", spoilt)
            if is_there:
                redis_server.execute("RENAME", spoilt, "aside")
            redis_server.execute("SET", spoilt, "something else")
            with pytest.raises(StoreCorrupt, match="keeps something else where this store's keys should be"):
                await store.commit(a_commit(2, epoch=None, said=said, user=UserRecord("ana", 1)))
            assert await all_of(store) == before
            redis_server.execute("DEL", spoilt)
            if is_there:
                redis_server.execute("RENAME", "aside", spoilt)
        await store.commit(a_commit(2, epoch=None))

    @in_loop
    async def test_a_head_without_its_history_is_damage(self, store: Store, redis_server: RedisServer) -> None:
        await store.create(a_creation())
        redis_server.execute("DEL", agent_keys("default", ID).history)
        with pytest.raises(StoreCorrupt, match=f"agent '{ID}' is damaged at .*: its head and its history"):
            await store.commit(a_commit(2))

    @in_loop
    async def test_what_is_not_of_ours_is_said_to_be_so(self, store: Store, redis_server: RedisServer) -> None:
        await store.create(a_creation())
        for gibberish in ("words", b"\xff no text"):
            redis_server.execute("HSET", agent_keys("default", ID).head, "moving", gibberish)
            for verb in (store.load(ID), store.head(ID), store.dump(ID)):
                with pytest.raises(AgentDamaged, match=f"agent '{ID}' is damaged in fsm-agent:.default.:"):
                    await verb
            page = await store.list()
            assert (page.heads, [each.agent_id for each in page.damaged]) == ((), [ID])

    @in_loop
    async def test_pages_leave_out_who_is_gone_by_the_time_they_are_read(
        self, store: Store, redis_server: RedisServer
    ) -> None:
        for name in ("a", "b", "c", "d"):
            await store.create(a_creation(name))
        redis_server.execute("DEL", agent_keys("default", "b").head)
        page = await store.list(limit=2)
        assert ([head.id for head in page.heads], page.next) == (["a", "c"], "c")

    @in_loop
    async def test_ten_thousand_steps_are_handed_over_whole(self, store: Store, redis_url: str) -> None:
        await store.create(a_creation())
        export = await store.dump(ID)
        steps = tuple(export.steps[0]._replace(version=version) for version in range(1, 10_001))
        many = export._replace(head=export.head._replace(id="many", version=10_000), steps=steps)
        await store.adopt(many)
        assert await store.dump("many") == many

    @in_loop
    async def test_a_thread_is_read_by_its_tail_and_past_any_gap(self, store: Store) -> None:
        await store.append(ROOM, [HELLO] * 5_000)
        kept = list(range(1, 5_001))
        for after, upto in (
            (10, 12),
            (4_990, 4_992),
            (2_000, 3_999),
            (4_998, None),
            (0, 3),
            (2_500, 2_600),
            (0, 1_700),
        ):
            gone = [number for number in kept if number > after and (upto is None or number <= upto)]
            assert await store.retract(ROOM, after=after, upto=upto) == len(gone)
            kept = [number for number in kept if number not in gone]
            assert [message.number for message in await store.messages(ROOM)] == kept
        assert await store.append(ROOM, [HELLO]) == 5_001
        kept.append(5_001)
        for after in (0, 1, 1_699, 1_700, 1_999, 2_000, 3_000, 3_999, 4_000, 4_989, 4_998, 5_000, 5_001):
            for upto in (None, 1_999, 4_000, 4_991, 5_001):
                there = [number for number in kept if number > after and (upto is None or number <= upto)]
                for newest, those in ((True, there[-3:]), (False, there[:3])):
                    found = await store.messages(ROOM, after=after, upto=upto, limit=3, newest=newest)
                    assert [message.number for message in found] == those
        assert (
            await store.revise(ROOM, [HELLO._replace(number=number) for number in (1, 2_000, 2_001, 4_000, 5_001)]) == 3
        )

    @in_loop
    async def test_a_message_takes_little_more_memory_than_its_text(
        self, store: Store, redis_server: RedisServer
    ) -> None:
        said = [HELLO._replace(content="x" * 200, parts=(), tokens=50)] * 100
        await store.append(ROOM, said[:1])
        before = int(redis_server.execute("INFO", "memory")["used_memory"])
        for _ in range(30):
            await store.append(ROOM, said)
        used = int(redis_server.execute("INFO", "memory")["used_memory"]) - before
        print(f"{used / 3_000:.0f} bytes for a message of 200")  # noqa: T201 - shown by `pytest -rP`
        assert used / 3_000 < 300

    @in_loop
    async def test_a_waiting_agent_takes_little_memory(self, store: Store, redis_server: RedisServer) -> None:
        before = int(redis_server.execute("INFO", "memory")["used_memory"])
        for number in range(500):
            await store.create(a_creation(f"0198c2f0-6f3a-7d4e-8f00-{number:012}", delta=Delta({"goal": "x" * 300})))
        used = int(redis_server.execute("INFO", "memory")["used_memory"]) - before
        assert used / 500 < 2_500


async def say_every_verb(store: Store) -> None:
    await store.save_workflow(ORDER.hash, ORDER.to_json())
    await store.create(a_creation(lease=LEASE, status=Status.RUNNING)._replace(key="start"))
    await store.enqueue(ID, 1, PING)
    await store.begin_effect(ID, an_effect())
    await store.begin_effect(ID, an_effect(use=2))
    await store.end_effect(ID, an_effect(use=2, ended_ms=1))
    settlement = Settlement(an_effect().key, was_done=False)
    await store.commit(a_commit(2, dequeue=1, key="k", snapshot=Snapshot(2, {}), lease=LEASE, settlement=settlement))
    await store.commit(a_commit(3, head={"workflow": REFUND}, repins=True, epoch=None, lease=LEASE))
    await store.renew(ID, 2, LEASE)
    await store.record_attempt(ID, 2, attempts=1, retry_ms=None)
    await use_every_thread_verb(store, 4, epoch=2)
    await store.release(ID, 2)
    await store.claim(ID, await store.head(ID), LEASE)
    await store.release(ID, 3)
    await store.enqueue(ID, None, PING._replace(key=None))
    [claimed] = await store.take(9, LEASE, workflows=["refund"], without=[("f00", "closed")])
    await store.renew_all([claimed], LEASE)
    await store.ring()
    await store.shorten(await store.head(ID), Origin(a_head(ID, 1), {}))
    await store.load(ID, key="k")
    for verb in (store.history(ID), store.origin(ID), store.effects(ID), store.size(ID), store.find_key("start")):
        await verb
    await store.list(status=Status.WAITING, workflow="order")
    await store.due(0, 9)
    await store.held_here("here")
    await store.lapsed(0, 9)
    export = await store.dump(ID)
    await store.delete(export.head)
    await store.adopt(export)


@contextmanager
def overheard(server: RedisServer) -> Iterator[list[list[str]]]:
    """What clients and scripts say to a server meanwhile, word by word; those of scripts begin with ``lua``."""
    heard: list[list[str]] = []
    with redis.Redis(port=server.port, decode_responses=True) as client, client.monitor() as monitor:

        def listen() -> None:
            for said in monitor.listen():
                if said["command"] == "ECHO over":
                    return
                heard.append([*(["lua"] if said["client_type"] == "lua" else []), *said["command"].split(" ")])

        thread = threading.Thread(target=listen)
        thread.start()
        yield heard
        server.execute("ECHO", "over")
        thread.join(10)


def strangers(said: list[list[str]]) -> list[list[str]]:
    """What scripts said of keys that they had not been given, nor what these begin with."""
    given: set[str] = set()
    beginnings: tuple[str, ...] = ()
    found = []
    for command in said:
        match command:
            case ["EVALSHA", _, keys, *words]:
                given = set(words[: int(keys)])
                beginnings = tuple(key for key in given if key.endswith(":"))
            case ["lua", "UNLINK" | "EXISTS", *keys] if not given.issuperset(keys):
                found.append(command)
            case ["lua", _, key, *_] if key not in given and not key.startswith(beginnings):
                found.append(command)
    return found


def test_a_newer_namespace_is_left_alone_and_others_are_not_minded(redis_url: str, redis_server: RedisServer) -> None:
    redis_server.execute("SET", space_keys("future").schema, "99")

    async def look() -> None:
        async with open_store(redis_url, namespace="future") as store:
            with pytest.raises(StoreTooNew) as refused:
                await store.list()
            known = f"has schema version 99 here, and this fsm-agent knows versions up to {schema()}; up"
            assert known in str(refused.value)
        async with open_store(redis_url) as store:
            assert (await store.list()).heads == ()

    asyncio.run(look())
    assert redis_server.execute("KEYS", "*") == [space_keys("future").schema]


def test_a_namespace_that_is_of_something_else_is_left_alone(redis_url: str, redis_server: RedisServer) -> None:
    redis_server.execute("SET", space_keys("default").schema, "theirs")

    async def look() -> None:
        async with open_store(redis_url) as store:
            with pytest.raises(StoreCorrupt, match="is not of fsm-agent; choose another namespace"):
                await store.list()

    asyncio.run(look())


def test_an_older_namespace_is_brought_forward_once_whoever_comes_first(
    redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_it() -> None:
        async with open_store(redis_url) as store:
            await keep_definitions(store)

    async def open_many() -> None:
        await asyncio.gather(*(open_it() for _ in range(5)))

    asyncio.run(open_it())
    counting = (*MIGRATIONS, "redis.call('INCR', KEYS[1] .. ':first')", "redis.call('INCR', KEYS[1] .. ':second')")
    monkeypatch.setattr("fsm_agent.stores.redis.startup.MIGRATIONS", counting)
    asyncio.run(open_many())
    kept = space_keys("default").schema
    assert [redis_server.execute("GET", kept + end) for end in ("", ":first", ":second")] == [str(schema()), "1", "1"]


def test_a_namespace_of_before_there_were_threads_goes_on(redis_url: str, redis_server: RedisServer) -> None:
    async def go_on() -> None:
        async with open_store(redis_url) as store:
            await keep_definitions(store)
            await store.create(a_creation())
        redis_server.execute("SET", space_keys("default").schema, "1")
        async with open_store(redis_url) as store:
            _, steps = await all_of(store)
            await use_every_thread_verb(store, 2, epoch=1)
            assert (await store.history(ID))[:1] == steps
            assert [message.content for message in await store.messages(own_thread(ID))] == ["hello"]

    asyncio.run(go_on())
    assert redis_server.execute("GET", space_keys("default").schema) == str(schema())


@pytest.mark.parametrize("verb", ["append", "save_user"])
def test_the_first_word_of_a_namespace_says_which_schema_it_has(
    redis_url: str, redis_server: RedisServer, verb: str
) -> None:
    async def say() -> None:
        async with open_store(redis_url) as store:
            await (store.append(ROOM, [HELLO]) if verb == "append" else store.save_user(UserRecord("ana", 1)))

    asyncio.run(say())
    assert redis_server.execute("GET", space_keys("default").schema) == str(schema())


def test_an_empty_namespace_is_not_written_to_by_who_looks(redis_url: str, redis_server: RedisServer) -> None:
    async def look() -> None:
        async with open_store(redis_url) as store:
            await store.list()
            await store.due(0, 9)

    asyncio.run(look())
    assert redis_server.execute("DBSIZE") == 0


def test_the_time_is_the_servers_and_is_not_asked_for_at_every_call(redis_url: str, redis_server: RedisServer) -> None:
    async def tell() -> None:
        async with open_store(redis_url) as store:
            redis_server.execute("CONFIG", "RESETSTAT")
            times = [await store.now() for _ in range(100)]
            seconds, micros = redis_server.execute("TIME")
            assert times == sorted(times)
            assert 0 <= int(seconds) * 1000 + int(micros) // 1000 - times[-1] < 5_000, "never early"

    asyncio.run(tell())
    assert redis_server.execute("INFO", "commandstats")["cmdstat_time"]["calls"] == 2


def test_a_server_that_is_too_old_is_refused() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        refuse_old("# Server\r\nredis_version:6.0.16\r\n", "redis://old:6379/0")
    assert str(refused.value) == (
        "the Redis server at redis://old:6379/0 has version 6.0.16, and 6.2 or newer is needed"
    )
    for fine in ("redis_version:6.2.0", "redis_version:7.4.1", "redis_version:10.0.0", ""):
        refuse_old(fine, "redis://new:6379/0")
