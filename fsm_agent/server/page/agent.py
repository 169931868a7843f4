"""The page of one agent: what it does now, what it has done, and the way back to any of its versions."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.domain.agent import ENDED
from fsm_agent.errors import IllegalEvent, NotAddressee, NotAsked, QuestionClosed, Refused
from fsm_agent.server.page.agent_diagram import diagram_card, draw
from fsm_agent.server.page.agent_facts import (
    Facts,
    Unread,
    agent_id_of,
    facts_of,
    link,
    readable,
    said,
    shown,
    version_in,
)
from fsm_agent.server.page.agent_head import header
from fsm_agent.server.page.agent_now import now_card, read_now
from fsm_agent.server.page.agent_tabs import tab_of, tabs_card
from fsm_agent.server.page.agent_timeline import read_timeline, timeline_card
from fsm_agent.server.page.forms.reader import read
from fsm_agent.server.page.question import BESIDES, Attempt, closed_card, of_pairs
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.problems import problem_of

_STYLES: Final = ("diagram.css", "forms.css", "agent.css")
_SCRIPTS: Final = ("picture.js", "agent.js")


async def agent(visit: Visit) -> Response:
    """``GET /agents/{id}``. With ``since``, the script asks for what is new since that version."""
    return await _page(visit)


async def answer(visit: Visit) -> Response:
    """``POST /agents/{id}/answer``."""
    agent_id, event, question = agent_id_of(visit), visit.sent("event") or "", visit.sent("question") or ""
    facts = await facts_of(visit)
    asked = facts.agent.question
    if asked is None or str(asked.id) != question or event not in asked.events:
        return await _send(visit, agent_id, {}, event, question)
    found = read(visit.form, asked.events[event], BESIDES)
    if found.payload is None:
        attempt = Attempt(event, found.typed, found.problems, found.changed)
        return await _page(visit, attempt=attempt, status=422 if found.problems else 200)
    return await _send(visit, agent_id, found.payload, event, question)


async def _send(visit: Visit, agent_id: str, payload: dict[str, Any], event: str, question: str) -> Response:
    """Answer a question; the engine says what became of it if it is not asked any more."""
    number = int(question) if question.isascii() and question.isdecimal() and len(question) < 16 else 0
    try:
        answered = await visit.service.runner.answer(
            agent_id, payload, event=event or None, question=number, by=visit.caller.name, drive=False
        )
    except (QuestionClosed, NotAsked, NotAddressee, IllegalEvent) as error:
        return await _page(visit, note=closed_card(said(error), of_pairs(visit.form)), status=problem_of(error).status)
    except Refused as error:
        note = h.p(".problem", role="alert", dir="auto")[said(error)]
        attempt = Attempt(event, of_pairs(visit.form))
        return await _page(visit, attempt=attempt, note=note, status=problem_of(error).status)
    await visit.service.go_on(answered)
    return RedirectResponse(visit.link("agents", agent_id), 303)


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
