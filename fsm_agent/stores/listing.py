"""The part of the port that finds agents: lists of heads, open questions, counts.

A verb that is not abstract has a default in ``pages``, which says what the verb does and looks at every agent for it. A
store does it in its own way with an index that is written together with the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Page
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection, Tally
from fsm_agent.stores import pages


class Listing(ABC):
    """See the module. ``Store`` says what is true of all verbs."""

    @abstractmethod
    async def head(self, agent_id: str) -> Head:
        """The head alone; raises ``AgentNotFound``."""

    async def list(
        self,
        *,
        status: Status | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        """Heads in order of id, after the id ``after``. A store has this verb or ``list_in`` of its own. A head that
        cannot be read keeps no other from its place: it is named in ``Page.damaged``, and counts for the ``limit``."""
        return await self.list_in(() if status is None else (status,), workflow=workflow, limit=limit, after=after)

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        """Like ``list``, but only agents in any of several statuses, each as it is at one moment; all if none is named.
        A store that has only ``list`` looks through all agents for it."""
        return await pages.list_in(self, statuses, workflow=workflow, limit=limit, after=after)

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        """Heads of these agents, in no order; those that are unknown or cannot be read are left out. Whoever watches
        agents asks for all of them at once."""
        return await pages.heads(self, agent_ids)

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        """Heads of the agents of a selection. In order of id, after the id ``after``; or the ``newest`` first, those
        created at the same time in reverse order of id, after the place ``after``, which is the ``next`` of the page
        before. A head that cannot be read may be one of the selection, and is named in ``Page.damaged``. Raises
        ``ArgumentInvalid`` for a place that no page of the newest has named. A store without it looks through all
        agents."""
        return await pages.select(self, selection, newest=newest, limit=limit, after=after)

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        """Heads of the agents that ask a question: the earliest deadline first, then the oldest agent, then by id.
        ``to`` is who is asked by name; ``ANYBODY`` selects questions to whoever comes, ``None`` all, each once. The
        place ``after`` may be that of a question that is closed by now. A head that cannot be read and may ask is named
        in ``QuestionPage.damaged``. A store without it looks through all that wait."""
        return await pages.questions(self, to=to, workflow=workflow, limit=limit, after=after)

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        """How many agents ``questions`` would find on all of its pages."""
        return await pages.count_questions(self, to=to, workflow=workflow)

    async def tally(self) -> Sequence[Tally]:
        """How many agents there are, by workflow, state and status, in this order. An agent of whom one of these cannot
        be read is not counted. It looks at all agents, but holds nobody up; whoever shows it often keeps it for some
        seconds."""
        return await pages.tally(self)

    async def find_ids(self, part: str, *, limit: int) -> Sequence[str]:
        """Ids that begin or end with ``part``, in order, at most ``limit``. Looks at every id, a page at a time; a
        store that need not read heads for that does it in its own way."""
        return await pages.find_ids(self, part, limit=limit)
