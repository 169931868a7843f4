"""Ids of agents on the command line: whole, or as much of the beginning or of the end as tells them apart.

A new id begins with its time, so agents that began together differ at the end: that is what tables print.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from fsm_agent.data.arguments import check
from fsm_agent.errors import AgentAmbiguous, AgentDamaged, AgentNotFound

if TYPE_CHECKING:
    from fsm_agent.stores.base import Store

Found = TypeVar("Found")

#: what an id may be shortened to; less is taken as the id itself
SHORTEST: Final = 6
#: candidates that an ambiguity names
_MOST_NAMED: Final = 5
#: what tables leave of an id: one in four thousand million others ends alike
_PRINTED: Final = 8
#: compiled where it is needed first, which in most processes is nowhere
_PART: Final = rf"[A-Za-z0-9._-]{{{SHORTEST},128}}"
#: an id that was made for an agent, or for a child of one: its time, its random end, which child it is
_MADE: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}([0-9a-f]{12})((?:\.\d+)*)"


async def whole_id(store: Store, text: str) -> str:
    """The id that ``text`` is, or else begins or ends. Raises ``AgentNotFound`` or ``AgentAmbiguous``."""
    return (await find(store, text, store.head)).id


async def find(store: Store, text: str, read: Callable[[str], Awaitable[Found]]) -> Found:
    """What ``read`` gives for the agent whose id ``text`` is, or else begins or ends; an id that is whole costs no
    other read. Raises ``AgentNotFound`` or ``AgentAmbiguous``."""
    check(agent_id=text)
    try:
        return await read(text)
    except AgentNotFound:
        if len(text) < SHORTEST:
            raise AgentNotFound(text, store.namespace, shortest_part=SHORTEST) from None
        if re.fullmatch(_PART, text) is None:
            raise
        found = await store.find_ids(text, limit=_MOST_NAMED + 1)
        if not found:
            raise
    if len(found) > 1:
        raise AgentAmbiguous(text, found[:_MOST_NAMED], are_all=len(found) <= _MOST_NAMED)
    return await read(found[0])


async def whole_ids(store: Store, texts: Iterable[str]) -> list[str]:
    """``whole_id`` of each."""
    return [await whole_id(store, text) for text in texts]


async def place_in_list(store: Store, text: str | None) -> str | None:
    """The id after which a list goes on. It may be that of an agent that has gone or is damaged, or of none."""
    try:
        return text and await whole_id(store, text)
    except (AgentNotFound, AgentDamaged):
        return text


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """What is printed for each of these: the end of an id that was made, as far as it is told from the others by it.
    A name that somebody gave stays whole."""
    all_ids = set(ids)

    @cache
    def counted(length: int) -> Counter[str]:
        """How many of all begin, and how many end, with a text of this length."""
        return Counter(part for each in all_ids for part in {each[:length], each[-length:]})

    def short(agent_id: str) -> str:
        return next((end for end in ends(agent_id) if counted(len(end))[end] == 1), agent_id)

    return {agent_id: short(agent_id) for agent_id in all_ids}


def ends(agent_id: str) -> Iterator[str]:
    """What may be printed for an id that was made, the shortest first; nothing for a name that somebody gave."""
    if made := re.fullmatch(_MADE, agent_id):
        random, which = made.groups()
        yield from (f"{random[-length:]}{which}" for length in range(_PRINTED, len(random) + 1))
