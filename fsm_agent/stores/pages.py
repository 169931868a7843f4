"""Pages of what a list finds: heads, and what is wrong with those that cannot be read.

The coroutines are what a store does that has only ``list``: it looks at every agent, a page at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import is_lapsed
from fsm_agent.domain.record import Damage, Page
from fsm_agent.domain.selection import (
    QuestionPage,
    QuestionPlace,
    Selection,
    Tally,
    asks,
    question_order,
    question_place,
)
from fsm_agent.errors import AgentDamaged, AgentNotFound, ArgumentInvalid

if TYPE_CHECKING:
    from fsm_agent.stores.listing import Listing

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
    store: Listing, statuses: Collection[Status], *, workflow: str | None, limit: int, after: str | None
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


async def find_ids(store: Listing, part: str, *, limit: int) -> Sequence[str]:
    """``Store.find_ids``."""
    found: list[str] = []
    after, is_more = None, True
    while is_more and len(found) < limit:
        page = await store.list(limit=PAGE, after=after)
        found += ids_with(sorted([*(head.id for head in page.heads), *(each.agent_id for each in page.damaged)]), part)
        after, is_more = page.next, page.next is not None
    return found[:limit]


async def lapsed(store: Listing, now_ms: int, limit: int) -> Sequence[Head]:
    """``Store.lapsed``."""
    found: list[Head] = []
    after, is_more = None, True
    while is_more and len(found) < limit:
        page = await store.list(limit=PAGE, after=after)
        found += [head for head in page.heads if is_lapsed(head.lease, now_ms)]
        after, is_more = page.next, page.next is not None
    return found[:limit]


async def definitions(store: Listing, *, limit: int, after: str | None) -> Sequence[str]:
    """``Store.definitions``: those to which agents are pinned."""
    hashes: set[str] = set()
    last, is_more = None, True
    while is_more:
        page = await store.list(limit=PAGE, after=last)
        hashes |= {head.definition for head in page.heads}
        last, is_more = page.next, page.next is not None
    return sorted(each for each in hashes if each > (after or ""))[:limit]


async def heads(store: Listing, agent_ids: Collection[str]) -> Sequence[Head]:
    """``Store.heads``."""
    found = []
    for agent_id in dict.fromkeys(agent_ids):
        with suppress(AgentNotFound, AgentDamaged):
            found.append(await store.head(agent_id))
    return found


async def select(store: Listing, selection: Selection, *, newest: bool, limit: int, after: str | None) -> Page:
    """``Store.select``. A head that cannot be read may be one of the selection: it is named on the first page that it
    stands on, or on the first of the newest."""
    listed = [each async for each in _all(store, selection) if isinstance(each, Damage) or selection.has(each)]
    heads = [each for each in listed if isinstance(each, Head)]
    damaged = tuple(each for each in listed if isinstance(each, Damage))
    if not newest:
        left = [each for each in in_order([*heads, *damaged]) if after is None or id_of(each) > after]
        return page_of(left[:limit], is_last=len(left) <= limit)
    heads.sort(key=newest_order, reverse=True)
    place = None if after is None else newest_place(after)
    left_heads = [head for head in heads if place is None or newest_order(head) < place]
    shown = tuple(left_heads[:limit])
    following = newest_after(shown[-1]) if len(left_heads) > limit else None
    return Page(shown, following, damaged if after is None else ())


def newest_order(head: Head) -> tuple[int, str]:
    """The key by which the newest agents are sorted, in reverse."""
    return head.created_ms, head.id


def newest_after(head: Head) -> str:
    """The place of an agent among the newest, as ``after`` takes it."""
    return newest_text(head.created_ms, head.id)


def newest_text(created_ms: int, agent_id: str) -> str:
    """What ``newest_after`` says of an agent whose head cannot be read."""
    return f"{created_ms}.{agent_id}"


def newest_place(after: str) -> tuple[int, str]:
    """What ``newest_after`` has written; raises ``ArgumentInvalid``."""
    created, _, agent_id = after.partition(".")
    if not _is_time(created):
        raise _no_place(after)
    return int(created), agent_id


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 17


def _no_place(after: str) -> ArgumentInvalid:
    return ArgumentInvalid(f"after must be the `next` of the page before, and is {after!r}")


async def questions(
    store: Listing, *, to: str | None, workflow: str | None, limit: int, after: QuestionPlace | None
) -> QuestionPage:
    """``Store.questions``."""
    damaged: list[Damage] = []
    found: list[Head] = []
    async for each in _all(store, Selection((Status.WAITING,), workflow)):
        if isinstance(each, Damage):
            damaged.append(each)
        elif asks(each, to) and (after is None or question_order(question_place(each)) > question_order(after)):
            found.append(each)
    found.sort(key=lambda head: question_order(question_place(head)))
    following = question_place(found[limit - 1]) if len(found) > limit else None
    return QuestionPage(tuple(found[:limit]), following, tuple(damaged) if after is None else ())


def question_after(place: QuestionPlace) -> str:
    """The place of a question as one text, in which a caller says where a list goes on."""
    due = "" if place.due_ms is None else place.due_ms
    return f"{due}.{place.created_ms}.{place.agent_id}"


def question_place_of(after: str) -> QuestionPlace:
    """What ``question_after`` has written; raises ``ArgumentInvalid``."""
    due, _, rest = after.partition(".")
    if not rest or not _is_time(due or "0"):
        raise _no_place(after)
    return QuestionPlace(int(due) if due else None, *newest_place(rest))


async def count_questions(store: Listing, *, to: str | None, workflow: str | None) -> int:
    """``Store.count_questions``."""
    waiting = _all(store, Selection((Status.WAITING,), workflow))
    return sum([1 async for each in waiting if isinstance(each, Head) and asks(each, to)])


async def tally(store: Listing) -> Sequence[Tally]:
    """``Store.tally``."""
    heads = [each async for each in _all(store, Selection()) if isinstance(each, Head)]
    counts = Counter((head.workflow, head.state, head.status) for head in heads)
    return [Tally(*key, count) for key, count in sorted(counts.items())]


async def _all(store: Listing, selection: Selection) -> AsyncIterator[Listed]:
    """Every agent that has the statuses and the workflow of a selection, a page at a time."""
    after, is_more = None, True
    while is_more:
        page = await store.list_in(selection.statuses, workflow=selection.workflow, limit=PAGE, after=after)
        for each in in_order([*page.heads, *page.damaged]):
            yield each
        after, is_more = page.next, page.next is not None
