"""The page of one agent: what it does now, what it has done, and the way back to any of its versions."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.domain.agent import ENDED
from fsm_agent.server.page.agent_diagram import diagram_card, draw
from fsm_agent.server.page.agent_facts import (
    Facts,
    Unread,
    link,
    readable,
    shown,
    version_in,
)
from fsm_agent.server.page.agent_head import header
from fsm_agent.server.page.agent_now import now_card, read_now
from fsm_agent.server.page.agent_tabs import tab_of, tabs_card
from fsm_agent.server.page.agent_timeline import read_timeline, timeline_card
from fsm_agent.server.page.answers import send_answer, typed_again
from fsm_agent.server.page.question import Attempt
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import Visit

_STYLES: Final = ("diagram.css", "forms.css", "agent.css")
_SCRIPTS: Final = ("agent.js",)


async def agent(visit: Visit) -> Response:
    """``GET /agents/{id}``. With ``since``, the script asks for what is new since that version."""
    return await _page(visit)


async def answer(visit: Visit) -> Response:
    """``POST /agents/{id}/answer``."""
    outcome = await send_answer(visit)
    if outcome.is_taken:
        return RedirectResponse(visit.link("agents", outcome.agent_id), 303)
    late = None
    if outcome.attempt is None:
        late = typed_again(visit, outcome, visit.link("agents", outcome.agent_id, "answer"))
    return await _page(visit, attempt=outcome.attempt, note=late, status=outcome.status)


async def _page(visit: Visit, *, attempt: Attempt | None = None, note: h.Node = None, status: int = 200) -> Response:
    """The page; ``attempt`` is an answer that was not taken, and ``note`` says why."""
    facts, since = await shown(visit, version_in(visit)), version_in(visit, "since")
    if isinstance(facts, Unread):
        return await _unread(visit, facts, note)
    before = version_in(visit, "before")
    reads: Any = await asyncio.gather(
        read_now(visit, facts),
        readable(read_timeline(visit.service.runner.store, facts.now, before=before, at=facts.at, since=since)),
        readable(draw(visit, facts)),
        tabs_card(visit, facts),
    )
    now, timeline, drawn, tabs = reads
    return page(
        visit,
        f"{facts.now.id} at version {facts.at}" if facts.at else facts.now.id,
        header(visit, facts.now),
        h.div(".agent", _live(visit, facts))[
            h.div(".column")[
                now_card(visit, facts, now, attempt, note=note),
                timeline_card(visit, facts.now, timeline, at=facts.at),
            ],
            h.div(".column")[diagram_card(visit, facts, drawn, is_drawn=since is None), tabs],
        ],
        place="agents",
        styles=_STYLES,
        scripts=_SCRIPTS,
        status=status,
    )


def _live(visit: Visit, facts: Facts) -> dict[str, h.Attribute]:
    """What the script needs to keep the page up to date."""
    return {
        "data-version": str(facts.now.version),
        "data-shown": str(facts.head.version),
        "data-ended": facts.now.status in ENDED,
        "data-address": link(visit, facts),
        "data-closed": visit.link("live", "closed", facts.now.id),
        "data-standing": f"{facts.now.status} in {facts.now.state}",
        "data-stream": visit.link("v1", "agents", facts.now.id, "stream"),
        "data-tab": tab_of(visit, facts),
    }


async def _unread(visit: Visit, unread: Unread, note: h.Node) -> Response:
    """The page of an agent that cannot be read whole: what its head tells, and the timeline if that can be read."""
    store, now = visit.service.runner.store, unread.now
    timeline = await readable(read_timeline(store, now, before=version_in(visit, "before")))
    return page(
        visit,
        now.id,
        header(visit, now),
        note,
        h.section(".card")[h.h2["It cannot be shown whole"], h.p(".problem", role="alert", dir="auto")[unread.why]],
        timeline_card(visit, now, timeline, at=None),
        place="agents",
        styles=_STYLES,
    )
