"""Pages of what a list finds: heads, and what is wrong with those that cannot be read.

The coroutines are what a store does that has only ``list``: it looks at every agent, a page at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import is_lapsed
from fsm_agent.domain.record import Damage, Page

if TYPE_CHECKING:
    from fsm_agent.stores.base import Store

Listed: TypeAlias = Head | Damage

#: how many are read at once
PAGE: Final = 1_000


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


def ids_with(ids: Iterable[str], part: str) -> list[str]:
    """The ids that begin or end with ``part``."""
    return [agent_id for agent_id in ids if agent_id.startswith(part) or agent_id.endswith(part)]


async def list_in(
    store: Store, statuses: Collection[Status], *, workflow: str | None, limit: int, after: str | None
) -> Page:
    """``Store.list_in``: one status is a question for ``list``, several are looked for."""
    if len(statuses) <= 1:
        return await store.list(status=next(iter(statuses), None), workflow=workflow, limit=limit, after=after)
    found: list[Listed] = []
    while True:
        page = await store.list(workflow=workflow, limit=PAGE, after=after)
        found += in_order([*(head for head in page.heads if head.status in statuses), *page.damaged])
        if len(found) > limit:
            return page_of(found[:limit], is_last=False)
        if page.next is None:
            return page_of(found, is_last=True)
        after = page.next


async def find_ids(store: Store, part: str, *, limit: int) -> Sequence[str]:
    """``Store.find_ids``."""
    found: list[str] = []
    after, is_more = None, True
    while is_more and len(found) < limit:
        page = await store.list(limit=PAGE, after=after)
        found += ids_with(sorted([*(head.id for head in page.heads), *(each.agent_id for each in page.damaged)]), part)
        after, is_more = page.next, page.next is not None
    return found[:limit]


async def lapsed(store: Store, now_ms: int, limit: int) -> Sequence[Head]:
    """``Store.lapsed``."""
    found: list[Head] = []
    after, is_more = None, True
    while is_more and len(found) < limit:
        page = await store.list(limit=PAGE, after=after)
        found += [head for head in page.heads if is_lapsed(head.lease, now_ms)]
        after, is_more = page.next, page.next is not None
    return found[:limit]


async def definitions(store: Store, *, limit: int, after: str | None) -> Sequence[str]:
    """``Store.definitions``: those to which agents are pinned."""
    hashes: set[str] = set()
    last, is_more = None, True
    while is_more:
        page = await store.list(limit=PAGE, after=last)
        hashes |= {head.definition for head in page.heads}
        last, is_more = page.next, page.next is not None
    return sorted(each for each in hashes if each > (after or ""))[:limit]
