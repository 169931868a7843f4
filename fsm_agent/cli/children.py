"""The children who work for an agent, on the command line: how many have ended, and what the others do."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.agent import Head, Status
from fsm_agent.cli.portraits import status_ink
from fsm_agent.cli.sheet import Block, Facts, Ink, Table, visible
from fsm_agent.jsontypes import Json
from fsm_agent.reader import Children


def children_json(children: Children | None) -> Json:
    """As `show` prints them (a contract); null where no children work."""
    if children is None:
        return None
    return {"total": children.total, "ended": children.ended, "agents": [_entry(head) for head in children.heads]}


def children_blocks(children: Children | None) -> Iterator[Block]:
    """How far they have come; of those that are done nothing else is said."""
    if children is None:
        return
    waiting = children.total - len(children.heads)
    ended = f"{children.ended} of {children.total} have ended{f', {waiting} have not begun' if waiting else ''}"
    yield Facts("children", [("", Ink(ended))])
    rows = [
        [Ink(head.id), status_ink(head.status), Ink(head.state), Ink(visible(_question(head) or ""))]
        for head in children.heads
        if head.status is not Status.DONE
    ]
    if rows:
        yield Table(("id", "status", "state", "question"), rows, "", names_agents=True)


def _entry(head: Head) -> dict[str, Json]:
    return {"id": head.id, "state": head.state, "status": str(head.status), "question": _question(head)}


def _question(head: Head) -> str | None:
    return head.asked.prompt if head.asked is not None and head.status is Status.WAITING else None
