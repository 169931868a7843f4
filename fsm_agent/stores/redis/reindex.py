"""The index held against what the heads of agents say: looked at, mended, and filled in where it is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from redis.exceptions import ResponseError

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage
from fsm_agent.errors import AgentDamaged, StoreCorrupt
from fsm_agent.stores.redis import index, reads, rows
from fsm_agent.stores.redis.keys import agent_keys, former_head_key, space_keys
from fsm_agent.stores.redis.scripts import Call, script

#: one or more commands that only read, and their answers
Look: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]
Write: TypeAlias = Callable[[Call], Awaitable[Sequence[Any]]]

#: a head, and what scripts are told in it of the index: ``asks`` and ``tags``
_Noted: TypeAlias = tuple[Head, tuple[str, str]]

_AT_ONCE: Final = 500
#: what a member begins with -> how it finds an agent
_FINDS: Final[Mapping[str, str]] = {
    "s": "by its status",
    "w": "by its workflow",
    "n": "by its age",
    "u": "by its user",
    "l": "by its labels",
    "q": "among those who ask",
    "t": "by those whom it asks",
}


class Difference(NamedTuple):
    """An agent that the index finds by something else than its head says."""

    agent_id: str
    #: ``None`` if there is none, or none that can be read
    head: Head | None
    #: what is missing in the index, and what is too much
    missing: Sequence[str]
    surplus: Sequence[str]
    #: whether the next step knows by what the agent is found
    is_noted: bool = True


async def differences(look: Look, namespace: str, ids: set[str]) -> AsyncIterator[Difference]:
    """The differences of all agents; ``ids`` are those that have a head."""
    members: dict[str, set[str]] = {}
    async for member in _members(look, space_keys(namespace).listed):
        members.setdefault(index.id_of(member), set()).add(member)
    for agent_id in sorted(members.keys() - ids):
        yield Difference(agent_id, None, (), sorted(members[agent_id]))
    in_order = sorted(ids)
    for start in range(0, len(in_order), _AT_ONCE):
        some = in_order[start : start + _AT_ONCE]
        heads = await _heads(look, namespace, {each: agent_keys(namespace, each).head for each in some})
        for agent_id in some:
            head, found = heads[agent_id], members.get(agent_id, set())
            wanted = set(index.members_of(head[0])) if head else found
            missing = sorted(wanted - found) if head else _needed(found)
            is_noted = head is None or head[1] == (index.asks_text(head[0]), index.tags_text(head[0]))
            if missing or wanted != found or not is_noted:
                yield Difference(agent_id, head and head[0], missing, sorted(found - wanted), is_noted)


def _needed(found: set[str]) -> list[str]:
    """The entries that are missing of an agent whose head cannot be read."""
    return [first for first in "swn" if not any(member.startswith(first) for member in found)]


def damages(difference: Difference, key: str, *, is_there: bool) -> Iterator[Damage]:
    if not is_there:
        yield Damage(difference.agent_id, key, "it is found there, and there is no such agent", is_index=True)
        return
    for first in dict.fromkeys(member[0] for member in difference.missing):
        yield Damage(difference.agent_id, key, f"it cannot be found {_FINDS[first]}", is_index=True)
    if not difference.is_noted:
        yield Damage(difference.agent_id, key, "its next step does not know by what it is found there", is_index=True)
    for first in dict.fromkeys(member[0] for member in difference.surplus):
        what = f"it is found {_FINDS.get(first, 'by something')} there, and its head says otherwise"
        yield Damage(difference.agent_id, key, what, is_index=True)


async def mend(write: Write, namespace: str, difference: Difference, *, is_former: bool = False) -> bool:
    """Whether an agent was still as it was read, and is found by what its head says now."""
    agent_id, head, surplus = difference.agent_id, difference.head, difference.surplus
    space, facts = space_keys(namespace), ("", "", "")
    if head is not None:
        facts = (str(head.version), index.asks_text(head), index.tags_text(head))
    keys = [agent_keys(namespace, agent_id).head, space.due, space.held, space.listed]
    if is_former:
        keys.append(former_head_key(namespace, agent_id))
    (is_done,) = await write(Call(script("reindex"), keys, (agent_id, *facts, *surplus)))
    return bool(is_done)


async def fill(look: Look, write: Write, namespace: str) -> int:
    """Take up into the index whom an earlier fsm-agent has made; returns how many there are. Somebody else may do the
    same at the same time."""
    filled = 0
    async for former in _former_ids(look, namespace):
        ids = former
        while ids:
            heads = await _heads(look, namespace, {each: former_head_key(namespace, each) for each in ids})
            wanted = [Difference(each, head and head[0], (), ()) for each, head in heads.items()]
            done = await asyncio.gather(*(mend(write, namespace, each, is_former=True) for each in wanted))
            filled += sum(done)
            ids = [each.agent_id for each, is_done in zip(wanted, done, strict=True) if not is_done]
    return filled


async def _former_ids(look: Look, namespace: str) -> AsyncIterator[list[str]]:
    start = former_head_key(namespace, "")
    async for keys in scan(look, namespace, former_head_key(namespace, "*")):
        yield [key.removeprefix(start) for key in keys]


async def scan(look: Look, namespace: str, pattern: str) -> AsyncIterator[Sequence[str]]:
    """The keys of a namespace that are like a pattern, some at a time, some of them twice."""
    await look(("EXISTS", space_keys(namespace).schema))  # a scan names no key by which the node would be found
    cursor = "0"
    while True:
        ((cursor, found),) = await look(("SCAN", cursor, "MATCH", pattern.replace("[", "\\["), "COUNT", _AT_ONCE))
        yield found
        if cursor == "0":
            return


async def _members(look: Look, key: str) -> AsyncIterator[str]:
    start = "-"
    while True:
        (members,) = await look(("ZRANGEBYLEX", key, start, "+", "LIMIT", 0, _AT_ONCE))
        for member in members:
            yield member
        if len(members) < _AT_ONCE:
            return
        start = f"({members[-1]}"


async def _heads(look: Look, namespace: str, keys: Mapping[str, str]) -> dict[str, _Noted | None]:
    """The heads under these keys, by id; ``None`` for those that cannot be read."""
    commands = [("HGETALL", key) for key in keys.values()]
    try:
        answers = await look(*commands, but=ResponseError) if commands else []
    except StoreCorrupt:  # one that is no text leaves the others without an answer
        if len(keys) == 1:
            return dict.fromkeys(keys)
        each_alone = [await _heads(look, namespace, {agent_id: key}) for agent_id, key in keys.items()]
        return {agent_id: head for found in each_alone for agent_id, head in found.items()}
    return {agent_id: _head(namespace, agent_id, flat) for agent_id, flat in zip(keys, answers, strict=True)}


def _head(namespace: str, agent_id: str, flat: Sequence[str]) -> _Noted | None:
    try:
        head = reads.head_of(namespace, agent_id, flat)
    except AgentDamaged:
        return None
    fields = rows.pairs(flat)
    return head, (fields.get("asks", ""), fields.get("tags", ""))
