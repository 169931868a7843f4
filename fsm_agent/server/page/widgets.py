"""Small parts that several pages are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import htpy as h

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Damage
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.tokens import Scope

#: status -> a glyph that says the same as its colour
_GLYPHS: Final[Mapping[Status, str]] = {
    Status.RUNNING: "►",
    Status.WAITING: "○",
    Status.PARKED: "‖",
    Status.DONE: "✓",
    Status.FAILED: "✗",
    Status.CANCELLED: "⊘",
}


def status_badge(status: Status) -> h.Node:
    return h.span(f".badge.status.{status}")[h.span(aria_hidden="true")[_GLYPHS[status]], str(status)]


def moment(at: datetime) -> h.Node:
    """A time in UTC, which the script shows in the time of whoever looks."""
    return h.time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M:%S} UTC"]


def deadline(at: datetime | None) -> h.Node:
    """When a question lapses; the script counts down to it."""
    if at is None:
        return None
    return h.span(".deadline", title=f"until {at:%Y-%m-%d %H:%M} UTC")[
        h.span(".until")["until "], h.time(datetime=at.isoformat(), data_until="")[f"{at:%Y-%m-%d %H:%M} UTC"]
    ]


def damage_list(damaged: Sequence[Damage]) -> h.Node:
    """Agents that cannot be shown, and why."""
    if not damaged:
        return None
    return h.ul(".problem")[
        [h.li[h.code(dir="auto")[visible(each.agent_id)], f": damaged in {each.place}"] for each in damaged]
    ]


def agent_link(visit: Visit, agent_id: str) -> h.Node:
    """The way to an agent, for who may look at it."""
    if not visit.may(Scope.READ):
        return h.span(".id", dir="auto")[visible(agent_id)]
    return h.a(".id", href=visit.link("agents", agent_id), dir="auto")[visible(agent_id)]


def workflow_link(visit: Visit, name: str) -> h.Node:
    """The way to a workflow, for who may look at it."""
    if not visit.may(Scope.READ):
        return h.bdi[visible(name)]
    return h.a(href=visit.link("workflows", name), dir="auto")[one_line(name)]


def label_text(name: str, text: str) -> str:
    """A label of an agent on one line."""
    return one_line(f"{name}={text}" if text else name)


def namespace_field(visit: Visit) -> h.Node:
    """What a form that asks for a page carries along, as ``Visit.link`` does."""
    if len(visit.caller.namespaces) < 2:
        return None
    return h.input(type="hidden", name="namespace", value=visit.service.namespace)
