"""What a store that has only ``list`` does to answer other questions: it looks at every agent, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import is_lapsed
from fsm_agent.domain.record import Page
from fsm_agent.stores.ids import ids_with
from fsm_agent.stores.pages import Listed, in_order, page_of

if TYPE_CHECKING:
    from fsm_agent.stores.base import Store

#: how many are read at once
PAGE: Final = 1_000


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
