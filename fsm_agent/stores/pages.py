"""Pages of what a list finds: heads, and what is wrong with those that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage, Page

Listed: TypeAlias = Head | Damage


def in_order(listed: Iterable[Listed]) -> list[Listed]:
    """Heads in the order of their ids."""
    return sorted(listed, key=id_of)


def page_of(listed: Sequence[Listed], *, is_last: bool) -> Page:
    """The page that holds these, in their order."""
    heads = tuple(each for each in listed if isinstance(each, Head))
    damaged = tuple(each for each in listed if isinstance(each, Damage))
    return Page(heads, None if is_last else id_of(listed[-1]), damaged)


def id_of(listed: Listed) -> str:
    return listed.agent_id if isinstance(listed, Damage) else listed.id
