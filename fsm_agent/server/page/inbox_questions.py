"""What the inbox shows: open questions in the order of urgency, those of one person or of everybody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    """Of whom the questions are asked that are shown."""

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


async def read_inbox(
    store: Store, whose: Whose, name: str | None, *, workflow: str | None, after: str | None
) -> InboxPage:
    """A page of the inbox of ``name``. Raises ``ArgumentInvalid`` if ``after`` is no place."""
    place = question_place_of(after) if after else None
    heads: list[Head] = []
    damaged: list[Damage] = []
    for to in _asked_of(whose, name):
        page = await store.questions(to=to, workflow=workflow, limit=PAGE + 1, after=place)
        heads += page.heads
        damaged += page.damaged
    heads.sort(key=lambda head: question_order(question_place(head)))
    shown = heads[:PAGE]
    following: QuestionPlace | None = question_place(shown[-1]) if len(heads) > PAGE else None
    found = await summaries(store, shown, damaged)
    return InboxPage(found, question_after(following) if following else None, damaged)


async def count_inbox(store: Store, whose: Whose, name: str | None, *, workflow: str | None) -> int:
    """How many questions all pages have."""
    return sum([await store.count_questions(to=to, workflow=workflow) for to in _asked_of(whose, name)])


def _asked_of(whose: Whose, name: str | None) -> Collection[str | None]:
    """The addressees whose questions are shown, as a store knows them."""
    match whose:
        case Whose.ALL:
            return [None]
        case Whose.ANYBODY:
            return [ANYBODY]
        case Whose.MINE:
            return [name] if name else []
        case Whose.MAY_ANSWER:
            return [name, ANYBODY] if name else [ANYBODY]
