"""The children who work for an agent, on the command line: how many have ended, and what the others do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, visible
from fsm_agent.cli.views.agents import status_ink
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.summary import AgentSummary
from fsm_agent.runtime.reads import read_children
from fsm_agent.stores.base import Store


class Family(NamedTuple):
    """Those who work for an agent now, with what they ask, and how many there are to be."""

    agents: Sequence[AgentSummary]
    total: int

    @property
    def ended(self) -> int:
        return sum(agent.status in ENDED for agent in self.agents)


async def read_family(store: Store, head: Head) -> Family | None:
    """The children of the work that an agent is at; ``None`` if none do it."""
    children = await read_children(store, head)
    if children is None:
        return None
    from fsm_agent.runtime.lists import summaries

    return Family(await summaries(store, children.heads, []), children.total)


def children_json(family: Family | None) -> Json:
    """As `show` prints them (a contract); null where no children work."""
    if family is None:
        return None
    return {"total": family.total, "ended": family.ended, "agents": [_entry(agent) for agent in family.agents]}


def children_blocks(family: Family | None) -> Iterator[Block]:
    """How far they have come; of those that are done nothing else is said."""
    if family is None:
        return
    waiting = family.total - len(family.agents)
    ended = f"{family.ended} of {family.total} have ended{f', {waiting} have not begun' if waiting else ''}"
    yield Facts("children", [("", Ink(ended))])
    rows = [
        [Ink(agent.id), status_ink(agent.status), Ink(agent.state), *_asks(agent)]
        for agent in family.agents
        if agent.status is not Status.DONE
    ]
    if rows:
        yield Table(("id", "status", "state", "question", "asks"), rows, "", names_agents=True)


def _asks(agent: AgentSummary) -> tuple[Ink, Ink]:
    question = agent.question
    return (Ink(str(question.id)), Ink(visible(question.prompt))) if question else (Ink(""), Ink(""))


def _entry(agent: AgentSummary) -> dict[str, Json]:
    question = agent.question.to_json() if agent.question else None
    return {"id": agent.id, "state": agent.state, "status": str(agent.status), "question": question}
