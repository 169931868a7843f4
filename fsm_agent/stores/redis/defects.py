"""What is wrong in a namespace beneath the agents: keys of those that are gone, and indexes that leave some out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from fsm_agent.domain.record import Damage
from fsm_agent.stores.redis.keys import AgentKeys, SpaceKeys, agent_keys, space_keys

#: One or more commands that only read, and their answers.
Look = Callable[..., Awaitable[Sequence[Any]]]

_AT_ONCE: Final = 500


async def inspect(look: Look, namespace: str) -> list[Damage]:
    """See ``Store.inspect``. Keys are read one after the other while others write, so only what is found twice counts.

    In a cluster, ``look`` asks the node of the namespace.
    """
    found = await _look_through(look, namespace)
    again = set(await _look_through(look, namespace)) if found else set()
    return [damage for damage in found if damage in again]


async def _look_through(look: Look, namespace: str) -> list[Damage]:
    space = space_keys(namespace)
    await look(("EXISTS", space.schema))  # a scan names no key by which the node would be found
    owners: dict[str, set[str]] = {part: set() for part in AgentKeys._fields}
    cursor = "0"
    while True:
        pattern = agent_keys(namespace, "*").head.replace(":head:*", ":*").replace("[", "\\[")
        ((cursor, found),) = await look(("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE))
        for key in found:
            part, _, agent_id = key.removeprefix(pattern.removesuffix("*")).partition(":")
            if agent_id and part in owners:
                owners[part].add(agent_id)
        if cursor == "0":
            break
    ids = owners["head"]
    orphans = [
        Damage(agent_id, getattr(agent_keys(namespace, agent_id), part), "the key is there, and no head of that agent")
        for part, names in owners.items()
        for agent_id in sorted(names - ids)
    ]
    return [*orphans, *[each async for each in _indexes(look, space, ids)]]


async def _indexes(look: Look, space: SpaceKeys, ids: set[str]) -> Any:
    listed, due, held = await look(
        ("ZRANGE", space.listed, 0, -1), ("ZRANGE", space.due, 0, -1), ("ZRANGE", space.held, 0, -1)
    )
    by_status = [member.rpartition("\0")[2] for member in listed if member.startswith("s")]
    by_workflow = [member.rpartition("\0")[2] for member in listed if member.startswith("w")]
    for names, what in ((by_status, "by its status"), (by_workflow, "by its workflow")):
        for each in _places(names, ids, what, space.listed):
            yield each
    for key, members in ((space.due, due), (space.held, [member.rpartition("\0")[2] for member in held])):
        for agent_id in sorted(set(members) - ids):
            yield Damage(agent_id, key, "it is found there, and there is no such agent")


def _places(names: Sequence[str], ids: set[str], what: str, key: str) -> Iterator[Damage]:
    for agent_id in sorted(set(names) - ids):
        yield Damage(agent_id, key, "it is found there, and there is no such agent")
    for agent_id in sorted(ids - set(names)):
        yield Damage(agent_id, key, f"it cannot be found {what}")
    seen: set[str] = set()
    for agent_id in names:
        if agent_id in seen:
            yield Damage(agent_id, key, f"it is found twice {what}")
        seen.add(agent_id)
