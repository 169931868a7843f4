"""The verbs that find agents: lists of heads, open questions, counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Damage, Page
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection, Tally
from fsm_agent.stores import codec, damage
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.pages import newest_place, newest_text
from fsm_agent.stores.postgres import queries, selections
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.parameters import NEVER_MS, found_as
from fsm_agent.stores.postgres.rows import head_of
from fsm_agent.stores.postgres.text_escape import kept, told
from fsm_agent.stores.postgres.threads import PostgresThreads

_STATUSES: Final = {codec.status_number(status): status for status in Status}


class PostgresListing(PostgresThreads):
    """The part of ``PostgresStore`` that finds agents."""

    _clock: SteadyClock

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        ids = selections.array(kept(agent_id) or "" for agent_id in set(agent_ids))
        return self._readable(await self._read(selections.HEADS, {"ids": ids}))

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        return await self.select(Selection(statuses, workflow), limit=limit, after=after)

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        after_ms, after_id = newest_place(after) if newest and after is not None else (None, after)
        name, text = selection.label or (None, None)
        row = {
            "workflow": kept(selection.workflow),
            "state": kept(selection.state),
            "user": _found_as(selection.user),
            "name": _found_as(name),
            "label": _found_as(text),
            "after": kept(after_id or ""),
            "after_ms": after_ms,
        }
        query = selections.select_query(selection, newest=newest, is_next=after is not None, limit=limit + 1)
        found = await self._read(query, row)
        damaged: list[Damage] = []
        heads = self._readable(found[:limit], damaged)
        if len(found) <= limit:
            return Page(heads, None, tuple(damaged))
        last_id, created_ms = told(found[limit - 1][0]), found[limit - 1][4]
        return Page(heads, newest_text(created_ms, last_id) if newest else last_id, tuple(damaged))

    async def find_ids(self, part: str, *, limit: int) -> Sequence[str]:
        row = {"part": kept(part), "limit": limit}
        return [agent_id for (agent_id,) in await self._read(queries.FIND_IDS, row)]

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        is_by_workflow, is_next = workflow is not None, after is not None
        query = selections.questions_query(to, by_workflow=is_by_workflow, is_next=is_next, limit=limit + 1)
        row: dict[str, Any] = {"to": _found_as(to), "workflow": kept(workflow)}
        if after is not None:
            due_ms = NEVER_MS if after.due_ms is None else after.due_ms
            row |= {"after_due": due_ms, "after_ms": after.created_ms, "after": kept(after.agent_id)}
        found = await self._read(query, row)
        damaged: list[Damage] = []
        heads = self._readable(found[:limit], damaged)
        following = _place_of(found[limit - 1]) if len(found) > limit else None
        return QuestionPage(heads, following, tuple(damaged))

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        query = selections.count_query(to, by_workflow=workflow is not None)
        return int((await self._read(query, {"to": _found_as(to), "workflow": kept(workflow)}))[0][0])

    async def tally(self) -> Sequence[Tally]:
        found = await self._read(selections.TALLY, {})
        known = [(told(name), told(state), _STATUSES.get(number), agents) for name, state, number, agents in found]
        return sorted(Tally(name, state, status, agents) for name, state, status, agents in known if status)

    def _readable(self, rows: Sequence[Row], damaged: list[Damage] | None = None) -> tuple[Head, ...]:
        """The heads of those rows that can be read; the others are noted."""
        return tuple(damage.readable(rows, self._seen, [] if damaged is None else damaged))

    def _seen(self, row: Row) -> Head:
        head = head_of(row)
        self._clock.seen(head.updated_ms)
        return head


def _found_as(text: str | None) -> str | None:
    return None if text is None else found_as(text)


def _place_of(row: Row) -> QuestionPlace:
    """The place of a question, of which the row of the head ends with the deadline."""
    due_ms = row[-1]
    return QuestionPlace(None if due_ms == NEVER_MS else due_ms, row[4], told(row[0]))
