"""What is wrong in a namespace beneath the agents: keys of those that are gone, and indexes that leave some out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from fsm_agent.domain.record import Damage
from fsm_agent.stores.redis import index, reindex
from fsm_agent.stores.redis.keys import AgentKeys, agent_keys, any_key, part_of, space_keys
from fsm_agent.stores.redis.reindex import Look, Write

#: which agents have a key, by its name
_Owners: TypeAlias = dict[str, set[str]]


async def inspect(look: Look, namespace: str) -> list[Damage]:
    """See ``Store.inspect``. Keys are read one after the other while others write, so only what is found twice counts.

    In a cluster, ``look`` asks the node of the namespace.
    """
    found = await _look_through(look, namespace)
    again = set(await _look_through(look, namespace)) if found else set()
    return [damage for damage in found if damage in again]


async def mend(look: Look, write: Write, namespace: str) -> int:
    """See ``Store.reindex``."""
    ids, mended = (await _owners(look, namespace))["head"], 0
    async for difference in reindex.differences(look, namespace, ids):
        mended += await reindex.mend(write, namespace, difference)
    async for agent_id, _ in _lost(look, namespace, ids):
        mended += await reindex.mend(write, namespace, reindex.Difference(agent_id, None, (), ()))
    return mended


async def _look_through(look: Look, namespace: str) -> list[Damage]:
    owners = await _owners(look, namespace)
    ids, space = owners["head"], space_keys(namespace)
    found = [
        Damage(agent_id, getattr(agent_keys(namespace, agent_id), part), "the key is there, and no head of that agent")
        for part, names in owners.items()
        for agent_id in sorted(names - ids)
    ]
    async for difference in reindex.differences(look, namespace, ids):
        found += reindex.damages(difference, space.listed, is_there=difference.agent_id in ids)
    what = "it is found there, and there is no such agent"
    return [*found, *[Damage(each, key, what, is_index=True) async for each, key in _lost(look, namespace, ids)]]


async def _owners(look: Look, namespace: str) -> _Owners:
    owners: _Owners = {part: set() for part in AgentKeys._fields}
    async for keys in reindex.scan(look, namespace, any_key(namespace, "").removesuffix(":")):
        for part, agent_id in (part_of(namespace, key) for key in keys):
            if part:
                owners[part].add(agent_id)
    return owners


async def _lost(look: Look, namespace: str, ids: set[str]) -> AsyncIterator[tuple[str, str]]:
    """The agents that are due or held and have no head, each with the key where it stands."""
    space = space_keys(namespace)
    due, held = await look(("ZRANGE", space.due, 0, -1), ("ZRANGE", space.held, 0, -1))
    for key, names in ((space.due, due), (space.held, index.held_ids(held))):
        for agent_id in sorted(set(names) - ids):
            yield agent_id, key
