"""Unpark: a parked agent tries again, or an effect in doubt is settled first."""

from __future__ import annotations

from typing import Any

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.data.typed_values import read_json
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.server.page.actions import Plan, Trouble, action_page, done, present, state
from fsm_agent.server.page.agent_facts import agent_id_of
from fsm_agent.server.page.agent_now import why_parked
from fsm_agent.server.page.texts import isolated, one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import moment
from fsm_agent.server.problems import HttpProblem

_LONGEST_ERROR = 1_500


async def confirm_unpark(visit: Visit) -> Response:
    """``GET /agents/{id}/unpark``; with ``effect``, its ``outcome`` is ``done`` or ``not_done``."""
    return await _page(visit, None)


async def unpark(visit: Visit) -> Response:
    """``POST /agents/{id}/unpark``."""
    settled: dict[str, Any] = {}
    if effect := visit.query.get("effect"):
        settled = {"effect": effect}
        if _was_done(visit):
            try:
                settled["result"] = read_json(visit.sent("result") or "null")
            except ValueError as error:
                return await _page(visit, Trouble(f"The result is no JSON: {error}", is_outdated=False, status=422))
        else:
            settled["not_done"] = True

    async def act(expected: int) -> Agent:
        runner, agent_id = visit.service.runner, agent_id_of(visit)
        return await runner.unpark(agent_id, **settled, by=visit.caller.name, expect_version=expected, drive=False)

    return await done(visit, act, lambda trouble: _page(visit, trouble))


def _was_done(visit: Visit) -> bool:
    return visit.query.get("outcome") == "done"


async def _page(visit: Visit, trouble: Trouble | None) -> Response:
    now = await present(visit)
    if now.head.status is not Status.PARKED and trouble is None:
        return RedirectResponse(visit.link("agents", now.head.id), 303)
    entries = await visit.service.runner.store.effects(now.head.id, activation=now.head.activation or 1)
    doubts = [entry for entry in entries if entry.is_open]
    if key := visit.query.get("effect"):
        entry = next((each for each in doubts if each.key == key), None)
        if entry is None and trouble is None:
            raise HttpProblem(409, "effect-not-open", "this effect is not in doubt, or not any more")
        return action_page(visit, now.head, _settled(visit, now, entry, key), trouble)
    return action_page(visit, now.head, _tried(visit, now, len(doubts)), trouble)


def _tried(visit: Visit, now: Aggregate, doubts: int) -> Plan:
    head, problem = now.head, now.head.problem
    action, held = now.program.state(head.state).do, problem.held if problem else None
    what = h.code[isolated(action)] if action else "what it did"
    told: list[h.Node] = []
    if problem is not None:
        why = why_parked(problem.type, problem.message)[:_LONGEST_ERROR]
        told.append(["It was parked: ", h.span(".problem", dir="auto")[visible(why)]])
    if held is not None:
        told.append(["The event ", h.code[isolated(held.name)], ", with which it was parked, is taken now."])
    else:
        told.append(["It does ", what, " in ", state(head.state), " again, from the first attempt."])
    if doubts:
        told.append(f"{doubts} of its effects are in doubt: unless they are settled first, it will be parked again.")
    return Plan(f"Let {head.id} try again?", told, "Try again", visit.link("agents", head.id, "unpark"), {})


def _settled(visit: Visit, now: Aggregate, entry: EffectEntry | None, key: str) -> Plan:
    head, was_done = now.head, _was_done(visit)
    name = entry.name if entry else "the effect"
    begun = [" It was begun ", moment(moment_of(entry.begun_ms)), "."] if entry else None
    told: list[h.Node] = [
        [h.code[isolated(one_line(name))], " is recorded as done, with the result below: it is not done again."]
        if was_done
        else [h.code[isolated(one_line(name))], " is recorded as not done: it is done, by the next attempt."],
        ["If that is not so, it is ", "never done." if was_done else "done twice.", begun],
        ["Then the agent tries again in ", state(head.state), "."],
    ]
    return Plan(
        f"Say that {one_line(name, 60)} was {'' if was_done else 'not '}done?",
        told,
        f"It was {'' if was_done else 'not '}done",
        visit.link("agents", head.id, "unpark", effect=key, outcome="done" if was_done else "not_done"),
        {},
        fields=_result(visit.sent("result")) if was_done else None,
        is_grave=True,
    )


def _result(typed: str | None) -> h.Node:
    return h.div(".form.field")[
        h.label(for_="result")["What it has returned, as JSON"],
        h.p("#result-hint.hint")["A text stands in quotes; null if it returns nothing."],
        h.textarea("#result.json", name="result", rows="3", spellcheck="false", aria_describedby="result-hint")[
            "null" if typed is None else typed
        ],
    ]
