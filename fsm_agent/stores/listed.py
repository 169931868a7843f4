"""Pages of what a list finds: heads, and what is wrong with those that cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from fsm_agent.agent import Head
from fsm_agent.record import Damage, Page

Listed: TypeAlias = Head | Damage


def in_order(listed: Iterable[Listed]) -> list[Listed]:
    """In order of their ids."""
    return sorted(listed, key=id_of)


def page_of(listed: Sequence[Listed], *, is_last: bool) -> Page:
    """The page that holds these, in their order."""
    heads = tuple(each for each in listed if isinstance(each, Head))
    damaged = tuple(each for each in listed if isinstance(each, Damage))
    return Page(heads, None if is_last else id_of(listed[-1]), damaged)


def id_of(listed: Listed) -> str:
    return listed.agent_id if isinstance(listed, Damage) else listed.id


async def pinned_to(page_after: Callable[[str | None], Awaitable[Page]]) -> list[str]:
    """The hashes of the definitions to which the agents of all pages are pinned, in order."""
    page = await page_after(None)
    hashes = {head.definition for head in page.heads}
    while page.next is not None:
        page = await page_after(page.next)
        hashes |= {head.definition for head in page.heads}
    return sorted(hashes)
