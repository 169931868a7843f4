"""Agents in a Redis Cluster: a namespace is on one node, whichever node the URL names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from fsm_agent.stores.base import Store
from fsm_agent.stores.redis.keys import agent_keys, space_keys
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import DurableStoreContract
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, in_loop
from tests.support.servers.redis import QUICK, RedisServer

_SLOTS = 16_384


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[list[RedisServer]]:
    """Two nodes, half of the slots each."""
    nodes = [RedisServer({**QUICK, "cluster-enabled": "yes"}) for _ in range(2)]
    try:
        for node, first in zip(nodes, (0, _SLOTS // 2), strict=True):
            node.start()
            node.execute("CLUSTER", "ADDSLOTS", *range(first, first + _SLOTS // 2))
        nodes[1].execute("CLUSTER", "SET-CONFIG-EPOCH", 2)
        nodes[0].execute("CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
        until_s = time.monotonic() + 30
        while not all("cluster_state:ok" in str(node.execute("CLUSTER", "INFO")) for node in nodes):
            assert time.monotonic() < until_s, "the nodes do not find each other"
            time.sleep(0.02)
        yield nodes
    finally:
        for node in nodes:
            node.close()


def home_of(namespace: str, nodes: list[RedisServer]) -> RedisServer:
    slot = nodes[0].execute("CLUSTER", "KEYSLOT", space_keys(namespace).schema)
    return nodes[slot // (_SLOTS // 2)]


class TestRedisCluster(DurableStoreContract):
    @pytest.fixture
    def url(self, redis_cluster: list[RedisServer]) -> str:
        """That of the node which does not have the namespace."""
        for node in redis_cluster:
            node.execute("FLUSHALL")
        (other,) = (node for node in redis_cluster if node is not home_of("default", redis_cluster))
        return other.url()

    def test_all_keys_of_a_namespace_have_one_slot(self, redis_cluster: list[RedisServer]) -> None:
        for namespace in ("default", "a.b-c_d", "X" * 128):
            keys = [*space_keys(namespace), *agent_keys(namespace, "one"), *agent_keys(namespace, "a.b-c_d")]
            slots = {redis_cluster[0].execute("CLUSTER", "KEYSLOT", key) for key in keys}
            assert len(slots) == 1

    @in_loop
    async def test_an_agent_is_kept_by_the_node_that_has_the_slot(
        self, store: Store, redis_cluster: list[RedisServer]
    ) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2))
        home = home_of("default", redis_cluster)
        assert home.execute("EXISTS", agent_keys("default", ID).head) == 1
        assert [node.execute("DBSIZE") for node in redis_cluster if node is not home] == [0]
        assert (await store.load(ID)).head.version == 2

    @in_loop
    async def test_a_ring_at_one_node_is_heard_at_another(self, store: Store, redis_cluster: list[RedisServer]) -> None:
        home = home_of("default", redis_cluster)
        (other,) = (node for node in redis_cluster if node is not home)
        heard = asyncio.Event()
        async with open_store(home.url()) as ringing, asyncio.timeout(30):
            listening = asyncio.create_task(store.listen(heard.set))
            await heard.wait()
            heard.clear()
            assert [len(node.execute("CLIENT", "LIST", "TYPE", "pubsub").splitlines()) for node in (home, other)] == [
                0,
                1,
            ]
            await ringing.ring()
            await heard.wait()
            listening.cancel()
