"""Who is due in Redis, in which order, and who takes them: many workers, old databases, and agents left to others."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import pytest

from fsm_agent import Context, Runner, action
from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.domain.record import Creation
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.redis.keys import agent_keys, space_keys
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import (
    LEASE,
    ORDER,
    REFUND,
    a_commit,
    a_creation,
    all_of,
    keep_definitions,
)
from tests.support.runtime import flow, until
from tests.support.servers.redis import RedisServer

_DUE: Final = space_keys("default").due
_NOW: Final = NEW_YEAR_MS + 1_000
_WORKERS: Final = 8

#: Waits for a word, and takes whoever is due until nobody is left; says whom it got.
TAKER = """
import asyncio, json, sys
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.stores.urls import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.head("agent-000")
        print("ready", flush=True)
        sys.stdin.readline()
        got, lease = [], Lease(Holder("here", int(sys.argv[2]), 1), await store.now() + 600_000)
        while found := await store.take(7, lease):
            got += found
        print(json.dumps(got), flush=True)

asyncio.run(main())
"""


WORK: Final = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, on: {ok: done}}
      done: {final: true}
""")


def a_lease(now_ms: int = _NOW) -> Lease:
    return Lease(Holder("there", 9, 1), now_ms + 15_000)


def with_store(url: str, use: Callable[[Store], Awaitable[object]], clock: FakeClock | None = None) -> None:
    async def run() -> None:
        async with open_store(url, clock=clock or FakeClock(_NOW)) as store:
            await keep_definitions(store)
            await use(store)

    asyncio.run(run())


async def make(store: Store, number: int, **head: Any) -> None:
    """So many agents that are due at once, each one millisecond longer than the one before."""
    creations = (
        a_creation(f"order-{each:04}", status=Status.RUNNING, updated_ms=NEW_YEAR_MS - each, **head)
        for each in range(number)
    )
    await asyncio.gather(*map(store.create, creations))


def scripts_of(server: RedisServer) -> int:
    """How many scripts were run since this was last asked."""
    calls = server.execute("INFO", "commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
    server.execute("CONFIG", "RESETSTAT")
    return int(calls)


def test_of_five_hundred_agents_eight_processes_take_each_exactly_once(redis_url: str) -> None:
    async def create(store: Store) -> None:
        for number in range(500):
            await store.create(a_creation(f"agent-{number:03}", status=Status.RUNNING))

    with_store(redis_url, create)
    pipe = subprocess.PIPE
    lines = [[sys.executable, "-c", TAKER, redis_url, str(number)] for number in range(_WORKERS)]
    takers = [subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True) for line in lines]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    taken = [json.loads(taker.communicate(timeout=60)[0]) for taker in takers]
    assert sorted(each for got in taken for each in got) == [[f"agent-{number:03}", 2] for number in range(500)]

    async def compare(store: Store) -> None:
        for number, got in enumerate(taken):
            heads = await store.heads([agent_id for agent_id, _ in got])
            assert {(head.epoch, head.lease and head.lease.holder.pid) for head in heads} <= {(2, number)}

    with_store(redis_url, compare)


def test_the_agent_that_is_due_longest_is_the_first_of_many_whatever_its_id(redis_url: str) -> None:
    @action(name="work")
    async def working(ctx: Context) -> str:
        return "ok"

    async def start() -> None:
        store = open_store(redis_url)
        async with Runner(store, actions=[working]) as runner:
            first = await runner.start(WORK, id="z", drive=False)
            await until(lambda: time.time() > first.updated_at.timestamp() + 0.002)
            for number in range(300):
                await runner.start(WORK, id=f"b-{number:03}", drive=False)
            due = await store.due(await store.now(), 999)
            assert (due[0], len(due)) == ("z", 301)
            assert [claimed.agent_id for claimed in await store.take(1, a_lease(await store.now()))] == ["z"]

    asyncio.run(start())


@pytest.mark.parametrize("seed", range(4))
def test_agents_are_taken_in_the_order_in_which_they_are_due_however_many_are_passed(
    redis_url: str, redis_server: RedisServer, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - nothing is secret here

    def one(number: int) -> Creation:
        since_ms = NEW_YEAR_MS + 20 * rng.randrange(1, 100)  # many at the same time
        kinds: list[dict[str, Any]] = [
            {"status": Status.RUNNING, "updated_ms": min(since_ms, _NOW)},
            {"timers": (ArmedTimer("open", "1ms", since_ms),)},
            {"status": Status.RUNNING, "lease": Lease(LEASE.holder, since_ms)},
        ]
        more = rng.choice(kinds)
        return a_creation(f"{rng.choice('abc')}-{number:04}", workflow=rng.choice([ORDER] * 9 + [REFUND]), **more)

    async def compare(store: Store) -> None:
        await asyncio.gather(*(store.create(one(number)) for number in range(1_500)))
        for member in rng.sample(redis_server.execute("ZRANGE", _DUE, "-inf", "(0", "BYSCORE"), 20):
            redis_server.execute("ZADD", _DUE, 0, member)  # as an earlier version did it
        due = await store.due(_NOW, 9_999)
        heads = {head.id: head for head in await store.heads(due)}
        places = dict(redis_server.execute("ZRANGE", _DUE, 0, -1, "WITHSCORES"))
        since = [0 if places[each] == 0 else due_since(heads[each]) for each in due]
        assert since == sorted(since)
        assert len(due) == redis_server.execute("ZCOUNT", _DUE, "-inf", _NOW) < 1_500
        wanted = [each for each in due if heads[each].workflow == "refund"]
        assert len(wanted) > 50
        taken: list[str] = []
        while found := await store.take(rng.randrange(1, 9), a_lease(), workflows=["refund"]):
            taken += [claimed.agent_id for claimed in found]
        assert taken == wanted
        rest = [each for each in due if each not in taken]
        assert [claimed.agent_id for claimed in await store.take(9_999, a_lease())] == rest

    with_store(redis_url, compare)


def due_since(head: Head) -> int:
    since_ms = head.due_since_ms or 0
    return max(since_ms, head.lease.until_ms) if head.lease else since_ms


def test_agents_that_are_left_to_others_are_not_looked_at_at_every_turn(
    redis_url: str, redis_server: RedisServer
) -> None:
    clock = FakeClock(_NOW)

    async def take(store: Store, **choice: Any) -> tuple[list[str], int]:
        scripts_of(redis_server)
        found = await store.take(1, a_lease(clock.ms), **choice)
        return [claimed.agent_id for claimed in found], scripts_of(redis_server)

    async def look(store: Store) -> None:
        await make(store, 1_100)
        for name in ("a", "b", "c"):
            await store.create(a_creation(name, workflow=REFUND, status=Status.RUNNING))
        chosen = {"workflows": ["refund"]}
        assert await take(store, **chosen) == (["a"], 3)
        await store.create(a_creation("longest", workflow=REFUND, status=Status.RUNNING, updated_ms=7))
        assert await take(store, **chosen) == (["b"], 1)
        clock.advance(milliseconds=100)
        assert await take(store, **chosen) == (["longest"], 1)
        left_out = {"without": [("f00", "open"), (ORDER.hash, "open")]}
        assert await take(store, **left_out) == (["c"], 3)
        assert await take(store, workflows=["unknown"]) == ([], 3)
        assert await take(store, workflows=["unknown"]) == ([], 1)

    with_store(redis_url, look, clock)


def test_who_was_due_at_once_before_an_upgrade_comes_first_and_nothing_is_wrong_with_that(
    redis_url: str, redis_server: RedisServer
) -> None:
    async def use(store: Store) -> None:
        await store.create(a_creation("new", status=Status.RUNNING, updated_ms=NEW_YEAR_MS - 5))
        for name in ("old-1", "old-2", "old-3"):
            await store.create(a_creation(name, status=Status.RUNNING))
            redis_server.execute("ZADD", _DUE, 0, name)
        assert await store.due(_NOW, 9) == ["old-1", "old-2", "old-3", "new"]
        assert list(await store.inspect()) == []
        assert await store.take(1, a_lease()) == [Claimed("old-1", 2)]
        await store.release("old-1", 2)
        await store.commit(a_commit(2, head={"id": "old-2", "status": Status.RUNNING, "updated_ms": NEW_YEAR_MS - 9}))
        assert await store.due(_NOW, 9) == ["old-3", "old-2", "new", "old-1"]
        assert list(await store.inspect()) == []

    with_store(redis_url, use)


def test_the_backlog_is_one_number(redis_url: str, redis_server: RedisServer) -> None:
    async def count(store: Store) -> None:
        await make(store, 3)
        await store.create(a_creation("held", status=Status.RUNNING, lease=a_lease()))
        await store.create(a_creation("timer", timers=(ArmedTimer("open", "1ms", _NOW),)))
        await store.create(a_creation("later", timers=(ArmedTimer("open", "1ms", _NOW + 1),)))
        await store.create(a_creation("waits"))
        assert redis_server.execute("ZCOUNT", "fsm-agent:{default}:waking", "-inf", _NOW) == 4

    with_store(redis_url, count)


def said_to(server: RedisServer) -> dict[str, int]:
    """How often each command was said since the statistics began, but for those of ``RedisServer``."""
    stats = server.execute("INFO", "commandstats")
    said = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in stats.items()}
    return {name: calls for name, calls in said.items() if not name.startswith(("config", "hello", "auth"))}


def test_those_who_are_held_are_not_looked_at_for_who_is_due(redis_url: str, redis_server: RedisServer) -> None:
    async def look(store: Store) -> None:
        await make(store, 300)
        assert len(await store.take(299, a_lease())) == 299
        redis_server.execute("CONFIG", "RESETSTAT")
        assert await store.due(_NOW, 9) == ["order-0000"]
        assert said_to(redis_server) == {"zrangebyscore": 2}
        assert redis_server.execute("ZCOUNT", _DUE, "-inf", _NOW) == 1

    with_store(redis_url, look)


def test_a_step_under_a_lease_changes_no_index(redis_url: str, redis_server: RedisServer) -> None:
    async def step(store: Store) -> None:
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        running = {"status": Status.RUNNING}
        await store.commit(a_commit(2, head=running, lease=LEASE))
        redis_server.execute("CONFIG", "RESETSTAT")
        await store.commit(a_commit(3, head=running, lease=LEASE))
        assert said_to(redis_server) == dict.fromkeys(("evalsha", "hmget", "llen", "hset", "rpush"), 1)

    with_store(redis_url, step)


@pytest.mark.parametrize(
    "damage",
    [
        ("DEL", "HEAD"),
        ("SET", "HEAD", "something else"),
        ("HDEL", "HEAD", "epoch"),
        ("HSET", "HEAD", "epoch", "first"),
        ("HSET", "HEAD", "wake", "soon"),
        ("HSET", "HEAD", "lease", "mine"),
        ("HSET", "HEAD", "lease", "mine 1 2 here"),
    ],
)
def test_a_damaged_agent_keeps_nobody_else_from_being_taken_or_held(
    redis_url: str, redis_server: RedisServer, damage: Sequence[str]
) -> None:
    async def use(store: Store) -> None:
        await make(store, 3)
        head = agent_keys("default", "order-0001").head
        redis_server.execute(*(word.replace("HEAD", head) for word in damage))
        others = [Claimed("order-0000", 2), Claimed("order-0002", 2)]
        for choice in ({}, {"workflows": ["order"]}, {"without": [(ORDER.hash, "closed")]}):
            claimed = await store.take(9, a_lease(), **choice)
            assert sorted(claimed) == others
            held = [*claimed, Claimed("order-0001", 1)]
            assert sorted(await store.renew_all(held, a_lease(_NOW + 1))) == ["order-0000", "order-0002"]
            for agent_id, epoch in claimed:
                await store.release(agent_id, epoch)
            others = [Claimed(agent_id, epoch + 1) for agent_id, epoch in others]

    with_store(redis_url, use)


def test_a_full_server_lets_nobody_be_taken(redis_url: str, redis_server: RedisServer) -> None:
    async def use(store: Store) -> None:
        await make(store, 2)
        before = await all_of(store, "order-0000"), await store.due(_NOW, 9)
        redis_server.execute("CONFIG", "SET", "maxmemory", 1)
        try:
            with pytest.raises(StoreUnavailable, match="is full"):
                await store.take(2, a_lease())
        finally:
            redis_server.execute("CONFIG", "SET", "maxmemory", 0)
        assert (await all_of(store, "order-0000"), await store.due(_NOW, 9)) == before

    with_store(redis_url, use)


def test_more_leases_than_one_script_prolongs_are_prolonged(redis_url: str, redis_server: RedisServer) -> None:
    async def renew(store: Store) -> None:
        await make(store, 1_201)
        claimed = await store.take(9_999, a_lease())
        later = a_lease(_NOW + 5)
        assert sorted(await store.renew_all(claimed, later)) == sorted(agent_id for agent_id, _ in claimed)
        scripts_of(redis_server)
        await store.renew_all(claimed, later)
        assert scripts_of(redis_server) == 3
        assert {head.lease for head in await store.heads([agent_id for agent_id, _ in claimed])} == {later}

    with_store(redis_url, renew)
