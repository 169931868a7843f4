"""A namespace that an earlier version has filled: taken up into the index once, and closed to those who made it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import pytest
import redis

from fsm_agent.stores.redis.keys import agent_keys, former_head_key, former_space_keys, space_keys
from fsm_agent.stores.redis.startup import schema
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import a_commit
from fsm_agent.testing.contract.lives import compare
from tests.support.findable_agents import assert_all_are_found, make_findable_agents
from tests.support.servers.redis import RedisServer

IDS: Final = ("anybody", "damaged", "done", "one", "several")
#: what agents were found by before
_BEFORE: Final = ("s", "w")


def go_back(server: RedisServer) -> None:
    """To how a namespace was at schema 2."""
    space, former = space_keys("default"), former_space_keys("default")
    for agent_id in IDS:
        forget_places(server, agent_id)
    for key, name in zip(space, former, strict=True):
        if key != name and server.execute("EXISTS", key):
            server.execute("RENAME", key, name)
    server.execute("SET", space.schema, "2")


def forget_places(server: RedisServer, agent_id: str) -> None:
    """One agent as an earlier version has made it."""
    head, listed = agent_keys("default", agent_id).head, space_keys("default").listed
    server.execute("HDEL", head, "asks", "tags")
    for member in server.execute("ZRANGE", listed, 0, -1):
        if member.endswith(f"\0{agent_id}") and not member.startswith(_BEFORE):
            server.execute("ZREM", listed, member)
    server.execute("RENAME", head, former_head_key("default", agent_id))


def test_an_older_namespace_is_filled_in_by_whoever_comes_first_and_that_is_said(
    redis_url: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(make_findable_agents(redis_url))
    redis_server.execute("HSET", agent_keys("default", "damaged").head, "moving", "[")
    go_back(redis_server)

    async def open_it() -> None:
        async with open_store(redis_url) as store:
            await assert_all_are_found(store)

    async def open_many() -> None:
        await asyncio.gather(*(open_it() for _ in range(4)))

    with caplog.at_level(logging.INFO, "fsm_agent"):
        asyncio.run(open_many())
    told = [record for record in caplog.records if vars(record)["action"] == "store_upgraded"]
    assert told[0].message == f"namespace 'default' of the store {redis_url} was upgraded from schema version 2"
    assert max(vars(record)["indexed"] for record in told) >= 1
    space = space_keys("default")
    assert redis_server.execute("GET", space.schema) == str(schema())
    assert redis_server.execute("EXISTS", space.filling) == 0
    assert redis_server.execute("KEYS", former_head_key("default", "*")) == []


def test_what_broke_off_in_the_midst_is_done_by_the_next(redis_url: str, redis_server: RedisServer) -> None:
    asyncio.run(make_findable_agents(redis_url))
    redis_server.execute("HSET", agent_keys("default", "damaged").head, "moving", "[")
    for agent_id in ("one", "several"):
        forget_places(redis_server, agent_id)
    redis_server.execute("SET", space_keys("default").filling, "1")

    async def open_it() -> None:
        async with open_store(redis_url) as store:
            await assert_all_are_found(store)

    asyncio.run(open_it())
    assert redis_server.execute("EXISTS", space_keys("default").filling) == 0


def test_a_process_of_an_earlier_version_finds_nothing_that_it_could_write_to(
    redis_url: str, redis_server: RedisServer
) -> None:
    asyncio.run(make_findable_agents(redis_url))
    go_back(redis_server)
    former = former_space_keys("default")
    assert redis_server.execute("ZCARD", former.due) == 1

    async def open_it() -> None:
        async with open_store(redis_url) as store:
            await store.commit(a_commit(2, head={"id": "one"}))
            await compare(store)

    asyncio.run(open_it())
    # what its scripts look at before they write anything
    for command in (("ZCARD", former.due), ("ZCARD", former.held), ("ZCARD", former.listed), ("ZCARD", former.named)):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            redis_server.execute(*command)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        redis_server.execute("HEXISTS", former.workflows, "f00")
    assert [redis_server.execute("EXISTS", former_head_key("default", each)) for each in IDS] == [0] * len(IDS)
    assert "restart with that one" in redis_server.execute("GET", former.listed)
