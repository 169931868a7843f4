"""The children that work for an agent, on the command line: how many have ended, and what the others do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.views.agents import status_ink
from fsm_agent.cli.views.failures import trouble_of
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.agent_view import error_of
from fsm_agent.domain.json import Json
from fsm_agent.domain.summary import AgentSummary
from fsm_agent.runtime.agent_reads import Failures, read_children
from fsm_agent.stores.base import Store

#: limit of children in one line, and of listed failures
_MOST_NAMED: Final = 5
_MOST_SHOWN: Final = 50


class Family(NamedTuple):
    """The children that work for an agent now, their questions, and how many there will be."""

    agents: Sequence[AgentSummary]
    total: int

    @property
    def ended(self) -> int:
        return sum(agent.status in ENDED for agent in self.agents)


async def read_family(store: Store, head: Head) -> Family | None:
    """The children of the present activation; ``None`` if it has none."""
    children = await read_children(store, head)
    if children is None:
        return None
    from fsm_agent.runtime.agent_lists import summaries

    return Family(await summaries(store, children.heads, []), children.total)


def children_json(family: Family | None) -> Json:
    """The children as `show --json` prints them (a contract); null if there are none."""
    if family is None:
        return None
    return {"total": family.total, "ended": family.ended, "agents": [_entry(agent) for agent in family.agents]}


def failures_json(failures: Failures) -> Json:
    """The failed children as `show --json` prints them (a contract)."""
    return [
        {"id": head.id, "state": head.state, "status": str(head.status), "error": error_of(head)}
        for head in failures.heads
    ]


def failures_blocks(failures: Failures) -> Iterator[Block]:
    """The children that have failed, and why; only the first ones if there are many."""
    rows = [
        [Ink(head.id), status_ink(head.status), Ink(head.state), Ink(trouble_of(head.problem), Tone.BAD)]
        for head in failures.heads[:_MOST_SHOWN]
    ]
    if rows:
        yield Table(("failed child", "status", "state", "error"), rows, "", names_agents=True)
    more = len(failures.heads) - len(rows)
    said = [f"{more} more have failed"] if more else []
    said += [f"{failures.left_out} were not looked at"] if failures.left_out else []
    if said:
        yield Facts("other children", [("", Ink(", ".join(said)))])


def children_blocks(family: Family | None, *, is_awaited: bool = False) -> Iterator[Block]:
    """The progress of the children; ended ones are only counted. With ``is_awaited``, the parent waits for all of
    them."""
    if family is None:
        return
    waiting = family.total - len(family.agents)
    ended = f"{family.ended} of {family.total} have ended{f', {waiting} have not begun' if waiting else ''}"
    yield Facts("children", [("", Ink(ended)), *(_awaited(family) if is_awaited else ())])
    rows = [
        [Ink(agent.id), status_ink(agent.status), Ink(agent.state), *_asks(agent)]
        for agent in family.agents
        if agent.status is not Status.DONE
    ]
    if rows:
        yield Table(("id", "status", "state", "question", "asks"), rows, "", names_agents=True)


def _awaited(family: Family) -> Iterator[tuple[str, Ink]]:
    """The children that a running parent waits for."""
    names = [f"{agent.id} ({agent.status} in {agent.state})" for agent in family.agents if agent.status not in ENDED]
    more = family.total - family.ended - len(names[:_MOST_NAMED])
    if names or more:
        whom = ", ".join([*names[:_MOST_NAMED], *([f"{more} more"] if more else [])])
        yield "", Ink(visible(f"the agent waits for {whom}"))


def _asks(agent: AgentSummary) -> tuple[Ink, Ink]:
    question = agent.question
    return (Ink(str(question.id)), Ink(visible(question.prompt))) if question else (Ink(""), Ink(""))


def _entry(agent: AgentSummary) -> dict[str, Json]:
    question = agent.question.to_json() if agent.question else None
    return {"id": agent.id, "state": agent.state, "status": str(agent.status), "question": question}
