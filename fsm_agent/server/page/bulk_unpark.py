"""Parked agents that are let go on together: a page that says what will happen, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.domain.agent import Status
from fsm_agent.errors import FsmAgentError, StoreUnavailable
from fsm_agent.server.page.agent_now import why_parked
from fsm_agent.server.page.answers import is_number
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link
from fsm_agent.server.problems import problem_of

#: agents that are let go on at once
_MOST: Final = 50
#: characters
_LONGEST_REASON: Final = 300


async def confirm_unpark(visit: Visit) -> Response:
    """``GET /unpark``: what will happen."""
    chosen = list(dict.fromkeys(visit.request.query_params.getlist("id")))[:_MOST]
    heads = [head for head in await visit.service.runner.store.heads(chosen) if head.status is Status.PARKED]
    heads.sort(key=lambda head: chosen.index(head.id))
    if not heads:
        return RedirectResponse(visit.link("agents", status="parked"), 303)
    rows = [
        h.li[
            agent_link(visit, head.id),
            " in ",
            h.bdi[visible(head.state)],
            h.p(".problem", dir="auto")[
                one_line(why_parked(head.problem.type, head.problem.message) if head.problem else "", _LONGEST_REASON)
            ],
            h.input(type="hidden", name="id", value=f"{head.version}.{head.id}"),
        ]
        for head in heads
    ]
    return page(
        visit,
        "Unpark",
        h.h1[f"Unpark {len(heads)} {'agent' if len(heads) == 1 else 'agents'}?"],
        h.p["The action of each is tried again, from its first attempt. Whoever has moved on meanwhile is left alone."],
        h.form(method="post", action=visit.link("unpark"))[
            h.ul(".chosen")[rows],
            h.p[h.button(".main")["Unpark"], " ", h.a(".button", href=visit.link("agents", status="parked"))["Back"]],
        ],
        place="agents",
        styles=("agents.css",),
    )


async def unpark(visit: Visit) -> Response:
    """``POST /unpark``."""
    refused: list[tuple[str, FsmAgentError]] = []
    for name, text in visit.form:
        version, _, agent_id = text.partition(".")
        if name != "id" or not is_number(version):
            continue
        try:
            agent = await visit.service.runner.unpark(
                agent_id, by=visit.caller.name, expect_version=int(version), drive=False
            )
            await visit.service.go_on(agent)
        except StoreUnavailable:
            raise
        except FsmAgentError as error:
            refused.append((agent_id, error))
    if not refused:
        return RedirectResponse(_result(visit), 303)
    return page(
        visit,
        "Not all were unparked",
        h.h1["Not all were unparked"],
        _refusals(visit, refused),
        h.p[h.a(href=visit.link("agents"))["To the agents"]],
        place="agents",
        styles=("agents.css",),
        status=409,
    )


def _result(visit: Visit) -> str:
    """The list of agents, which tells how those stand now that were unparked."""
    known = f"&{urlencode({'namespace': visit.service.namespace})}" if len(visit.caller.namespaces) > 1 else ""
    ids = [text.partition(".")[2] for name, text in visit.form if name == "id"]
    return f"/agents?{urlencode({'unparked': ids}, doseq=True)}{known}" if ids else visit.link("agents")


def _refusals(visit: Visit, refused: Sequence[tuple[str, FsmAgentError]]) -> h.Node:
    return h.ul[
        [
            h.li[agent_link(visit, agent_id), h.p(".problem", dir="auto")[visible(problem_of(why).detail)]]
            for agent_id, why in refused
        ]
    ]
