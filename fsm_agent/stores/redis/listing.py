"""The verbs that find agents: lists of heads, open questions, counts.

An index says who may be meant, and their heads are read after it; so each is looked at again, since it may have moved
on in the meantime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from redis.exceptions import ResponseError

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Damage, Page
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection, Tally, asks, question_place
from fsm_agent.errors import AgentDamaged, AgentNotFound, StoreCorrupt
from fsm_agent.stores import codec, damage
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.pages import PAGE, Listed, id_of, ids_with, newest_place, newest_text, page_of
from fsm_agent.stores.redis import index, reads
from fsm_agent.stores.redis.candidates import Age, Candidates
from fsm_agent.stores.redis.keys import agent_keys
from fsm_agent.stores.redis.scripts import Call, script
from fsm_agent.stores.redis.threads import RedisThreads

#: agents that are counted at once: nobody else is served meanwhile
_COUNTED: Final = 100
_STATUSES: Final = {str(codec.status_number(status)): status for status in Status}


class RedisListing(RedisThreads):
    """The part of ``RedisStore`` that finds agents."""

    _clock: SteadyClock

    async def head(self, agent_id: str) -> Head:
        for head in await self._heads([agent_id]):
            if isinstance(head, Damage):
                raise AgentDamaged(head.agent_id, head.place, head.what)
            return head
        raise AgentNotFound(agent_id, self.namespace)

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        return [head for head in await self._heads([*set(agent_ids)]) if isinstance(head, Head)]

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        return await self.select(Selection(statuses, workflow), limit=limit, after=after)

    async def find_ids(self, part: str, *, limit: int) -> Sequence[str]:
        found: list[str] = []
        async for ids in self._candidates().by_id(Selection(), None, PAGE):
            found += ids_with(ids, part)
            if len(found) >= limit:
                break
        return found[:limit]

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        if not newest:
            found = await self._meant(self._candidates().by_id(selection, after, limit + 1), selection, limit)
            return page_of(found[:limit], is_last=len(found) <= limit)
        made: dict[str, int] = {}
        place = None if after is None else newest_place(after)
        ids = _noted(self._candidates().by_age(selection, place, limit + 1), made)
        found = await self._meant(ids, selection, limit)
        heads, damaged = _told_apart(found[:limit])
        last = id_of(found[limit - 1]) if len(found) > limit else None
        return Page(heads, None if last is None else newest_text(made[last], last), damaged)

    async def _meant(self, ids: AsyncIterator[Sequence[str]], selection: Selection, limit: int) -> list[Listed]:
        """More than ``limit`` of those that are meant, or all. Of a head that cannot be read, the index said so."""
        found: list[Listed] = []
        async for some in ids:
            found += [each for each in await self._heads(some) if isinstance(each, Damage) or selection.has(each)]
            if len(found) > limit:
                break
        return found

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        found: list[tuple[QuestionPlace, Listed]] = []
        async for texts in self._candidates().asking(to, workflow, after, limit + 1):
            places = [index.place_of(text) for text in texts]
            heads = {id_of(each): each for each in await self._heads([place.agent_id for place in places])}
            asked = [(place, heads[place.agent_id]) for place in places if place.agent_id in heads]
            found += [(place, each) for place, each in asked if _still_asks(each, place, to, workflow)]
            if len(found) > limit:
                break
        shown, damaged = _told_apart([each for _, each in found[:limit]])
        return QuestionPage(shown, found[limit - 1][0] if len(found) > limit else None, damaged)

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        return await self._candidates().count_asking(to, workflow)

    async def tally(self) -> Sequence[Tally]:
        counts: Counter[tuple[str, str, Status]] = Counter()
        async for ages in self._candidates().by_age(Selection(), None, _COUNTED, page=_COUNTED):
            heads = [agent_keys(self.namespace, each).head for _, each in ages]
            (told,) = await self._read(Call(script("tally"), heads, ()))
            for kind, agents in zip(told[::2], told[1::2], strict=True):
                workflow, status, state = kind.rsplit("\n", 2)
                counts[workflow, codec.decode(state), _STATUSES[status]] += int(agents)
        return [Tally(*kind, agents) for kind, agents in sorted(counts.items())]

    def _candidates(self) -> Candidates:
        return Candidates(self._look, self._read, self.namespace)

    async def _heads(self, ids: Sequence[str]) -> Sequence[Listed]:
        """The heads of those that are still there, and what is wrong with those that cannot be read."""
        if not ids:
            return []
        commands = [("HGETALL", agent_keys(self.namespace, each).head) for each in ids]
        try:
            answers = await self._look(*commands, but=ResponseError)
        except StoreCorrupt as error:  # one that is no text leaves the others without an answer
            if len(ids) == 1:
                return [damage.damage_of(damage.damaged(ids[0], commands[0][1], error))]
            return [head for each in ids for head in await self._heads([each])]
        heads = [_head_or_damage(self.namespace, *each) for each in zip(ids, answers, strict=True) if each[1]]
        self._clock.seen(max((head.updated_ms for head in heads if isinstance(head, Head)), default=0))
        return heads


async def _noted(ages: AsyncIterator[Sequence[Age]], made: dict[str, int]) -> AsyncIterator[Sequence[str]]:
    """The ids; when agents were made is noted."""
    async for some in ages:
        made |= {agent_id: at_ms for at_ms, agent_id in some}
        yield [agent_id for _, agent_id in some]


def _told_apart(listed: Sequence[Listed]) -> tuple[tuple[Head, ...], tuple[Damage, ...]]:
    heads = tuple(each for each in listed if isinstance(each, Head))
    return heads, tuple(each for each in listed if isinstance(each, Damage))


def _head_or_damage(namespace: str, agent_id: str, flat: Sequence[str]) -> Listed:
    try:
        return reads.head_of(namespace, agent_id, flat)
    except AgentDamaged as error:
        return damage.damage_of(error)


def _still_asks(each: Listed, place: QuestionPlace, to: str | None, workflow: str | None) -> bool:
    """Whether an agent asks what the index said; of a head that cannot be read nobody knows."""
    if isinstance(each, Damage):
        return True
    return asks(each, to) and workflow in {None, each.workflow} and question_place(each) == place
