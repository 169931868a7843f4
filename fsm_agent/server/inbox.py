"""What an inbox shows: open questions in the order of urgency, those of one person or of everybody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage
from fsm_agent.domain.selection import ANYBODY, QuestionPlace, question_order, question_place
from fsm_agent.domain.summary import AgentSummary
from fsm_agent.runtime.agent_lists import summaries
from fsm_agent.stores.base import Store
from fsm_agent.stores.pages import question_after, question_place_of

#: questions on one page
PAGE: Final = 50


class Whose(StrEnum):
    """The people who are asked the questions that are shown."""

    #: of me by name, or of anybody
    MAY_ANSWER = "may_answer"
    MINE = "mine"
    ANYBODY = "anybody"
    ALL = "all"


class InboxPage(NamedTuple):
    """Some of the questions, and where the next page begins, if there is one."""

    questions: Sequence[AgentSummary]
    next: str | None
    damaged: Sequence[Damage]


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of the inbox of somebody."""

    whose: Whose = Whose.ALL
    #: ``None``: somebody without a name
    name: str | None = None
    workflow: str | None = None
    #: the question behind which the page begins, as ``question_after`` writes it
    after: str | None = None

    @property
    def place(self) -> QuestionPlace | None:
        """The place behind which the page begins. Raises ``ArgumentInvalid`` if ``after`` is none."""
        return question_place_of(self.after) if self.after else None

    async def read(self, store: Store) -> InboxPage:
        """The page. Raises ``ArgumentInvalid`` if ``after`` is no place."""
        heads, damaged = await self._heads(store)
        following = question_place(heads[PAGE - 1]) if len(heads) > PAGE else None
        found = await summaries(store, heads[:PAGE], damaged)
        return InboxPage(found, question_after(following) if following else None, damaged)

    async def keys(self, store: Store) -> Sequence[tuple[str, int]]:
        """Agent and id of each question on the page, and of the one behind it."""
        heads, _ = await self._heads(store)
        return question_keys(heads)

    async def count(self, store: Store) -> int:
        """How many questions all pages have."""
        return sum([await store.count_questions(to=to, workflow=self.workflow) for to in self._addressees])

    async def _heads(self, store: Store) -> tuple[list[Head], list[Damage]]:
        """The agents that ask, one more than the page shows if there are more, and those that cannot be read."""
        heads: list[Head] = []
        damaged: list[Damage] = []
        for to in self._addressees:
            page = await store.questions(to=to, workflow=self.workflow, limit=PAGE + 1, after=self.place)
            heads += page.heads
            damaged += page.damaged
        heads.sort(key=lambda head: question_order(question_place(head)))
        return heads[: PAGE + 1], damaged

    @property
    def _addressees(self) -> Collection[str | None]:
        """Those whose questions are shown, as a store knows them."""
        match self.whose:
            case Whose.ALL:
                return [None]
            case Whose.ANYBODY:
                return [ANYBODY]
            case Whose.MINE:
                return [self.name] if self.name else []
            case Whose.MAY_ANSWER:
                return [self.name, ANYBODY] if self.name else [ANYBODY]


def question_keys(heads: Sequence[Head]) -> tuple[tuple[str, int], ...]:
    """Agent and id of the question that each agent asks."""
    return tuple((head.id, head.asked.id if head.asked else 0) for head in heads)
