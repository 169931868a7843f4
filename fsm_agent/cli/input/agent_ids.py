"""Ids of agents on the command line: whole, or a beginning or an end that only one agent has.

A new id begins with its time, so agents that began together differ at the end. Tables print the end.
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

#: minimal length of a shortened id; a shorter text is taken as a whole id
SHORTEST: Final = 6
#: candidates that the error of an ambiguous id names
_MOST_NAMED: Final = 5
#: minimal length of an id's end in tables: one in four thousand million ids has the same
_PRINTED: Final = 8
#: compiled when it is first needed, which most processes never do
_PART: Final = rf"[A-Za-z0-9._-]{{{SHORTEST},128}}"
#: a generated id of an agent or of its child: the time, the random end, the numbers of children
_MADE: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}([0-9a-f]{12})((?:\.\d+)*)"


async def whole_id(store: Store, text: str) -> str:
    """The id that is ``text``, or that begins or ends with it. Raises ``AgentNotFound`` or ``AgentAmbiguous``."""
    return (await find(store, text, store.head)).id


async def find(store: Store, text: str, read: Callable[[str], Awaitable[Found]]) -> Found:
    """The result of ``read`` for the agent whose id is ``text``, or begins or ends with it. A whole id needs no other
    read. Raises ``AgentNotFound`` or ``AgentAmbiguous``."""
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
    return [await whole_id(store, text) for text in texts]


async def place_in_list(store: Store, text: str | None) -> str | None:
    """The id after which a list goes on. The agent may be gone or damaged, or never have existed."""
    try:
        return text and await whole_id(store, text)
    except (AgentNotFound, AgentDamaged):
        return text


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Id -> what is printed for it: the shortest end that no other one has. A name that a person gave stays whole."""
    all_ids = set(ids)

    @cache
    def counted(length: int) -> Counter[str]:
        """Text of this length -> how many ids begin or end with it."""
        return Counter(part for each in all_ids for part in {each[:length], each[-length:]})

    def short(agent_id: str) -> str:
        return next((end for end in ends(agent_id) if counted(len(end))[end] == 1), agent_id)

    return {agent_id: short(agent_id) for agent_id in all_ids}


def ends(agent_id: str) -> Iterator[str]:
    """The texts that may be printed for a generated id, the shortest first; none for a name that a person gave."""
    if made := re.fullmatch(_MADE, agent_id):
        random, which = made.groups()
        yield from (f"{random[-length:]}{which}" for length in range(_PRINTED, len(random) + 1))
