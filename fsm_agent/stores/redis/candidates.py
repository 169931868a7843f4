"""The agents that a selection may mean, or that may ask a question, as the index says it: some at a time, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import QuestionPlace, Selection
from fsm_agent.stores.pages import PAGE
from fsm_agent.stores.redis import index
from fsm_agent.stores.redis.keys import agent_keys, space_keys
from fsm_agent.stores.redis.scripts import Call, script

T = TypeVar("T")

Look: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]
Read: TypeAlias = Callable[[Call], Awaitable[Sequence[Any]]]
#: when an agent was made, and its id
Age: TypeAlias = tuple[int, str]


class Candidates:
    """Looks into the index of a namespace. What is asked for is so many at first, and then more and more."""

    def __init__(self, look: Look, read: Read, namespace: str) -> None:
        self._look, self._read, self._namespace = look, read, namespace
        self._index = space_keys(namespace).listed

    async def by_id(self, selection: Selection, after: str | None, first: int) -> AsyncIterator[Sequence[str]]:
        """Ids behind ``after``."""
        under = _tag(selection)
        if under is None:
            async for ids in self._listed(selection, after, first):
                yield ids
            return
        ids = sorted([agent_id for _, agent_id in await self._tagged(under)])
        for some in _sizes([each for each in ids if after is None or each > after], first):
            yield some

    async def _listed(self, selection: Selection, after: str | None, first: int) -> AsyncIterator[Sequence[str]]:
        statuses, size = frozenset(selection.statuses or Status), first
        while True:
            commands = index.listings(self._index, statuses, selection.workflow, after, size)
            ids = index.ids_of(await self._look(*commands), size)
            yield ids
            if len(ids) < size:
                return
            after, size = ids[-1], _more(size, first)

    async def by_age(
        self, selection: Selection, before: Age | None, first: int, *, page: int = PAGE
    ) -> AsyncIterator[Sequence[Age]]:
        """The newest first, from before a place back."""
        under, few = _tag(selection), None
        if under is None and (selection.statuses or selection.workflow is not None):
            few = await self._few(selection, first)
        elif under is not None and selection.label is not None and selection.label[1] is None:
            few = await self._tagged(under)  # which stand in order of their texts
        if few is None:
            async for ages in self._walk("n" if under is None else f"{under}\0", before, first, page):
                yield ages
            return
        few.sort(reverse=True)
        for some in _sizes([each for each in few if before is None or each < before], first):
            yield some

    async def _walk(self, under: str, before: Age | None, first: int, page: int) -> AsyncIterator[Sequence[Age]]:
        place, size = None if before is None else f"{index.time_text(before[0])}\0{before[1]}", first
        while True:
            (members,) = await self._look(index.before(self._index, under, place, size))
            yield [index.age_of(member) for member in members]
            if len(members) < size:
                return
            place, size = members[-1][len(under) :], _more(size, first, page)

    async def _few(self, selection: Selection, first: int) -> list[Age] | None:
        """All of these statuses and this workflow, if they are so few that it is less work to sort them than to look
        for them among the newest of all; ``None`` otherwise."""
        statuses = frozenset(selection.statuses or Status)
        unders = [index.listed_under(selection.workflow, status) for status in statuses]
        total, *counts = await self._look(*(index.counted(self._index, under) for under in ("n", *unders)))
        if sum(counts) ** 2 > first * total:
            return None
        ids = [each async for some in self._listed(selection, None, PAGE) for each in some]
        pins: list[str | None] = []
        for some in _sizes(ids, PAGE):
            pins += await self._look(*(("HGET", agent_keys(self._namespace, each).head, "pin") for each in some))
        return [(index.made_at(pin), each) for each, pin in zip(ids, pins, strict=True) if pin is not None]

    async def _tagged(self, under: str) -> list[Age]:
        """All that a user or a label finds."""
        found: list[Age] = []
        after = ""
        while True:
            (members,) = await self._look(index.behind(self._index, under, after, PAGE))
            found += [index.age_of(member) for member in members]
            if len(members) < PAGE:
                return found
            after = members[-1][len(under) + 1 :]

    async def asking(
        self, to: str | None, workflow: str | None, after: QuestionPlace | None, first: int
    ) -> AsyncIterator[Sequence[str]]:
        """Places of questions behind a place, in order."""
        unders, besides = await self._unders(to, workflow)
        place, size = "" if after is None else index.place_text(after), first
        while unders:
            answers = await self._look(*(index.behind(self._index, under, place, size) for under in unders))
            told = zip(unders, answers, strict=True)
            places = index.first_of(([each[len(under) + 1 :] for each in members] for under, members in told), size)
            yield await self._those_under(besides, places)
            if len(places) < size:
                return
            place, size = places[-1], _more(size, first)

    async def count_asking(self, to: str | None, workflow: str | None) -> int:
        if to is None and workflow is None:
            (count,) = await self._look(index.counted(self._index, "q"))
            return int(count)
        unders, besides = await self._unders(to, workflow)
        if besides is None:
            (count,) = await self._look(index.counted(self._index, f"{unders[0]}\0"))
            return int(count)
        return sum([len(places) async for places in self.asking(to, workflow, None, PAGE)])

    async def _unders(self, to: str | None, workflow: str | None) -> tuple[list[str], str | None]:
        """What the questions that are asked for stand under, and what they must stand under besides."""
        asked = None if to is None else f"t{index.name_text(to) if to else to}"
        of_workflow = None if workflow is None else f"q{workflow}"
        if asked is None and of_workflow is None:
            (workflows,) = await self._read(Call(script("asking"), (self._index,), ()))
            return [f"q{each}" for each in workflows], None
        if asked is None or of_workflow is None:
            return [asked or of_workflow or ""], None
        counts = await self._look(*(index.counted(self._index, f"{each}\0") for each in (asked, of_workflow)))
        return ([asked], of_workflow) if counts[0] <= counts[1] else ([of_workflow], asked)

    async def _those_under(self, under: str | None, places: Sequence[str]) -> Sequence[str]:
        if under is None or not places:
            return places
        (scores,) = await self._look(("ZMSCORE", self._index, *(f"{under}\0{place}" for place in places)))
        return [place for place, score in zip(places, scores, strict=True) if score is not None]


def _sizes(found: list[T], first: int) -> Iterator[list[T]]:
    """So many at first, and then more and more."""
    start, size = 0, first
    while start < len(found):
        yield found[start : start + size]
        start, size = start + size, _more(size, first)


def _more(size: int, first: int, page: int = PAGE) -> int:
    """How many to look at next, where so many were not enough."""
    return max(first, min(2 * size, page))


def _tag(selection: Selection) -> str | None:
    """What those who have a label, or else a user, stand under."""
    if selection.label is not None:
        name, text = selection.label
        return f"l{index.name_text(name)}" + ("" if text is None else f"\0{index.name_text(text)}")
    return None if selection.user is None else f"u{index.name_text(selection.user)}"
