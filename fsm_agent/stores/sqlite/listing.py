"""The verbs that find agents. What an index answers is read on the loop's own connection; what may look at very many
rows, by ``scans``.

``selections`` is imported by the verbs that need it: most processes call none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Page
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection, Tally
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.pages import newest_place
from fsm_agent.stores.sqlite import pages, writes
from fsm_agent.stores.sqlite.connection import Connection, Row
from fsm_agent.stores.sqlite.scans import Scans
from fsm_agent.stores.sqlite.threads import SqliteThreads

T = TypeVar("T")

#: As many heads are read in one query.
_AT_ONCE = 500


class SqliteListing(SqliteThreads):
    """The part of ``SqliteStore`` that finds agents."""

    _clock: SteadyClock
    _scans: Scans

    async def head(self, agent_id: str) -> Head:
        with self._translated():
            return self._read(agent_id).head

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        with self._translated():
            return pages.due(self._db, self._space, now_ms, limit)

    async def held_here(self, host: str) -> Sequence[Head]:
        with self._translated():
            return pages.held(self._db, self._space, self._seen, host)

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        with self._translated():
            return pages.lapsed(self._db, self._space, self._seen, now_ms, limit)

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        return await self.select(Selection(statuses, workflow), limit=limit, after=after)

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        from fsm_agent.stores.sqlite import selections

        ids, found = list(agent_ids), list[Head]()
        with self._translated():
            for begin in range(0, len(ids), _AT_ONCE):
                found += selections.heads(self._db, self._space, ids[begin : begin + _AT_ONCE])
        return self._noted(found)

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        from fsm_agent.stores.sqlite import selections

        select: Callable[[Connection, str, Selection], Page]
        if newest:
            select = partial(selections.newest, limit=limit, after=None if after is None else newest_place(after))
        else:
            select = partial(selections.select, limit=limit, after=after)
        page = await self._found(
            lambda db: select(db, self._space, selection), is_quick=selections.is_quick(selection, newest=newest)
        )
        self._noted(page.heads)
        return page

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        from fsm_agent.stores.sqlite import selections

        ask = partial(selections.questions, to=to, workflow=workflow, limit=limit, after=after)
        page = await self._found(lambda db: ask(db, self._space), is_quick=workflow is None)
        self._noted(page.heads)
        return page

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        from fsm_agent.stores.sqlite import selections

        return await self._found(lambda db: selections.count_questions(db, self._space, to, workflow), is_quick=False)

    async def tally(self) -> Sequence[Tally]:
        from fsm_agent.stores.sqlite import selections

        return await self._found(lambda db: selections.tally(db, self._space), is_quick=False)

    async def find_ids(self, part: str, *, limit: int) -> Sequence[str]:
        return await self._found(lambda db: pages.ids_with(db, self._space, part, limit), is_quick=False)

    async def _found(self, look: Callable[[Connection], T], *, is_quick: bool) -> T:
        with self._translated():
            return look(self._db) if is_quick else await self._scans.read(look)

    def _read(self, agent_id: str) -> writes.Kept:
        known = writes.read_agent(self._db, self._space, agent_id)
        self._clock.seen(known.head.updated_ms)
        return known

    def _seen(self, row: Row) -> Head:
        head = writes.kept_of(row).head
        self._clock.seen(head.updated_ms)
        return head

    def _noted(self, heads: Sequence[Head]) -> Sequence[Head]:
        """These heads, whose times the clock does not fall behind."""
        for head in heads:
            self._clock.seen(head.updated_ms)
        return heads
