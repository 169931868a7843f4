"""Small parts that several pages are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import htpy as h

from fsm_agent.domain.agent import Status
from fsm_agent.server.page.visit import Visit

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


def agent_link(visit: Visit, agent_id: str) -> h.Node:
    return h.a(".id", href=visit.link("agents", agent_id), dir="auto")[agent_id]


def workflow_link(visit: Visit, name: str) -> h.Node:
    return h.a(href=visit.link("workflows", name), dir="auto")[name]
