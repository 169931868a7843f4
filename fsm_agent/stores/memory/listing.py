"""Finding agents in memory: a look at all of them, which copies only those that are shown."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from fsm_agent.domain.agent import Head, Status
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
from fsm_agent.errors import AgentNotFound
from fsm_agent.stores.damage import UNREADABLE, damage_of, damaged, readable, reading
from fsm_agent.stores.memory.agent import Kept
from fsm_agent.stores.memory.threads import PLACE, MemoryThreads
from fsm_agent.stores.pages import Listed, newest_after, newest_order, newest_place, page_of


class MemoryListing(MemoryThreads):
    """The part of ``MemoryStore`` that finds agents."""

    _agents: dict[str, Kept]

    async def head(self, agent_id: str) -> Head:
        return self._readable(agent_id)

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        return self._in_order_of_id(Selection(statuses, workflow), limit, after)

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        return list(readable(self._agents.keys() & set(agent_ids), self._readable, []))

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        if not newest:
            return self._in_order_of_id(selection, limit, after)
        place = None if after is None else newest_place(after)
        damage: list[Damage] = []
        found = self._found(lambda head: selection.has(head) and (place is None or newest_order(head) < place), damage)
        found.sort(key=newest_order, reverse=True)
        following = newest_after(found[limit - 1]) if len(found) > limit else None
        return Page(self._shown(found[:limit]), following, tuple(damage) if after is None else ())

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        damage: list[Damage] = []
        found = self._asking(to, workflow, damage)
        if after is not None:
            beyond = question_order(after)
            found = [head for head in found if question_order(question_place(head)) > beyond]
        found.sort(key=lambda head: question_order(question_place(head)))
        following = question_place(found[limit - 1]) if len(found) > limit else None
        return QuestionPage(self._shown(found[:limit]), following, tuple(damage) if after is None else ())

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        return len(self._asking(to, workflow, []))

    async def tally(self) -> Sequence[Tally]:
        found = self._found(Selection().has, [])
        counts = Counter((head.workflow, head.state, head.status) for head in found)
        return [Tally(*kind, count) for kind, count in sorted(counts.items())]

    def _in_order_of_id(self, selection: Selection, limit: int, after: str | None) -> Page:
        ids = sorted(self._agents)
        left = ids[bisect_right(ids, after) if after is not None else 0 :]
        found = [*islice(self._listed(left, selection.has), limit + 1)]
        shown = [self._readable(each.id) if isinstance(each, Head) else each for each in found[:limit]]
        return page_of(shown, is_last=len(found) <= limit)

    def _asking(self, to: str | None, workflow: str | None, damage: list[Damage]) -> list[Head]:
        return self._found(lambda head: asks(head, to) and workflow in {None, head.workflow}, damage)

    def _found(self, wanted: Callable[[Head], bool], damage: list[Damage]) -> list[Head]:
        """Heads as they were written; what is wrong with those that cannot be read is noted."""
        found: list[Head] = []
        for each in self._listed(self._agents, wanted):
            found.append(each) if isinstance(each, Head) else damage.append(each)
        return found

    def _listed(self, ids: Iterable[str], wanted: Callable[[Head], bool]) -> Iterator[Listed]:
        for agent_id in ids:
            written = self._agents[agent_id].written
            try:
                if wanted(written):
                    yield written
            except UNREADABLE as error:
                yield damage_of(damaged(agent_id, PLACE, error))

    def _shown(self, found: Iterable[Head]) -> tuple[Head, ...]:
        """With what is the store's own, and nothing in them that is kept."""
        return tuple(self._readable(head.id) for head in found)

    def _readable(self, agent_id: str) -> Head:
        kept = self._kept(agent_id)
        with reading(agent_id, PLACE):
            return kept.head

    def _kept(self, agent_id: str) -> Kept:
        try:
            return self._agents[agent_id]
        except KeyError:
            raise AgentNotFound(agent_id, self.namespace) from None
