"""Send an event that an agent takes now, or cancel it; a parked agent is let go on by an event."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import htpy as h
from starlette.responses import Response

from fsm_agent.domain.agent import ENDED, Agent, Status
from fsm_agent.domain.json import object_schema
from fsm_agent.domain.step import Event
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.errors import PayloadInvalid
from fsm_agent.report.why import Candidate, candidates
from fsm_agent.server.page.actions import (
    Plan,
    Trouble,
    action_page,
    children_ended,
    done,
    interrupted,
    present,
    state,
)
from fsm_agent.server.page.agent_facts import agent_id_of
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import render
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import isolated, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link
from fsm_agent.server.problems import HttpProblem

#: what the form sends besides the payload
_BESIDES = ("version", "key")


async def confirm_send(visit: Visit) -> Response:
    """``GET /agents/{id}/send``; without ``event`` it asks which one."""
    now = await present(visit)
    if "event" not in visit.query:
        return _choice(visit, now)
    return await _send_page(visit, now, visit.query["event"])


def _events(now: Aggregate) -> Sequence[str]:
    """The events that may be sent now, guards not evaluated. Those of a parked agent an operator sends by hand."""
    head = now.head
    if head.status in ENDED:
        return ()
    claimed = () if head.status is Status.PARKED else now.program.claimed(head)
    return [event for event in now.program.workflow.allowed(head.state) if event not in claimed and event != "cancel"]


def _choice(visit: Visit, now: Aggregate) -> Response:
    head = now.head
    rows = [
        h.li[
            h.a(".button", href=visit.link("agents", head.id, "send", event=event), dir="auto")[visible(event)],
            " ",
            h.span(".meta")[_targets(now, event)],
        ]
        for event in _events(now)
    ]
    return page(
        visit,
        f"Send an event to {head.id}",
        h.nav(".crumbs", aria_label="Place")[agent_link(visit, head.id)],
        h.h1[f"Send an event to {head.id}"],
        h.p[f"It is {head.status} in ", state(head.state), ", and takes:" if rows else ", and takes no event now."],
        h.ul(".choices")[rows] if rows else None,
        place="agents",
        styles=("forms.css", "agent.css"),
    )


def _targets(now: Aggregate, event: str) -> h.Node:
    here = now.head.state
    found = dict.fromkeys(each.target or here for each in now.program.workflow.candidates(here, event))
    return ["leads to ", [[" or " if place else "", isolated(target)] for place, target in enumerate(found)]]


async def send(visit: Visit) -> Response:
    """``POST /agents/{id}/send``."""
    event, now = visit.query.get("event", ""), await present(visit)
    _check(now, event)
    reading = read(visit.form, _schema(now, event), _BESIDES)
    if reading.payload is None:
        return await _send_page(visit, now, event, reading=reading)
    payload, runner, agent_id = reading.payload, visit.service.runner, agent_id_of(visit)
    more: dict[str, Any] = {"by": visit.caller.name, "drive": False}

    async def act(expected: int) -> Agent:
        if now.head.status is Status.PARKED:
            return await runner.unpark(agent_id, event=event, payload=payload, expect_version=expected, **more)
        key = visit.sent("key") or None
        return await runner.send(agent_id, event, payload, key=key, expect_version=expected, **more)

    async def again(trouble: Trouble) -> Response:
        return await _send_page(visit, await present(visit), event, reading=reading, trouble=trouble)

    return await done(visit, act, again)


def _check(now: Aggregate, event: str) -> None:
    if not now.program.workflow.has_payload(event):
        raise HttpProblem(404, "unknown-event", f"workflow {now.head.workflow!r} has no event {event[:80]!r}")


def _schema(now: Aggregate, event: str) -> dict[str, Any]:
    return object_schema(now.program.workflow.payload_fields(event))


async def _send_page(
    visit: Visit, now: Aggregate, event: str, *, reading: Reading | None = None, trouble: Trouble | None = None
) -> Response:
    _check(now, event)
    head, form = now.head, fields(_schema(now, event))
    inputs = render(
        form,
        reading.typed if reading else filled(form),
        reading.problems if reading else (),
        prefix=f"send-{head.id}",
        changed=reading.changed if reading else None,
    )
    if trouble is None and event not in _events(now):
        why = f"it does not take {event!r} now: it is {head.status} in {head.state!r}"
        trouble = Trouble(why, is_outdated=False, status=409)
    if trouble is None and reading is not None and reading.problems:
        trouble = Trouble("The payload is not as it must be.", is_outdated=False, status=422)
    plan = Plan(
        f"Send {event} to {head.id}?",
        [*_told(_candidates(visit, now, event)), *await _left(visit, now, event)],
        "Send",
        visit.link("agents", head.id, "send", event=event),
        {"key": secrets.token_urlsafe(12)},
        fields=inputs,
    )
    return action_page(visit, head, plan, trouble)


async def _left(visit: Visit, now: Aggregate, event: str) -> list[h.Node]:
    """What becomes of what goes on in the present state."""
    head, workflow = now.head, now.program.workflow
    if any(each.target is not None for each in workflow.candidates(head.state, event)):
        return [interrupted(head), await children_ended(visit, head)]
    return ["It is kept until the action that is at work now is done, and is decided then."] if head.is_at_work else []


def _candidates(visit: Visit, now: Aggregate, event: str) -> Sequence[Candidate]:
    """The transitions that the event may take, the first first."""
    sent = Event(event, {}, visit.caller.name)
    with suppress(PayloadInvalid):
        sent = sent._replace(payload=now.program.payload_rules.complete(event, {}))
    return candidates(now.program.machine, now.head.state, event, now.context(sent))


def _told(found: Sequence[Candidate]) -> Iterator[h.Node]:
    """Where the event leads, as far as that is known before its payload is."""
    for each in found:
        target = ["It goes to ", state(each.target)]
        if each.guard is None:
            yield [target, "."]
            return
        holds = {True: ", which is so", False: ", which is not so now", None: ", which its payload decides"}[each.holds]
        yield [target, " if ", h.code(dir="auto")[visible(each.guard)], holds, "."]
    if found:
        yield "If none of these is so, it is refused, and nothing happens."


async def confirm_cancel(visit: Visit) -> Response:
    """``GET /agents/{id}/cancel``."""
    return await _cancel_page(visit, None)


async def cancel(visit: Visit) -> Response:
    """``POST /agents/{id}/cancel``."""

    async def act(expected: int) -> Agent:
        runner, agent_id = visit.service.runner, agent_id_of(visit)
        return await runner.cancel(agent_id, by=visit.caller.name, expect_version=expected, drive=False)

    return await done(visit, act, lambda trouble: _cancel_page(visit, trouble))


async def _cancel_page(visit: Visit, trouble: Trouble | None) -> Response:
    now = await present(visit)
    head, found = now.head, _candidates(visit, now, "cancel")
    if head.status in ENDED and trouble is None:
        trouble = Trouble(f"it has ended already: it is {head.status}", is_outdated=False, status=409)
    told = list(_told(found)) or [["It ends as cancelled where it is, in ", state(head.state), "."]]
    plan = Plan(
        f"Cancel {head.id}?",
        [*told, interrupted(head), await children_ended(visit, head), "A rewind can bring it back."],
        "Cancel it",
        visit.link("agents", head.id, "cancel"),
        {},
        is_grave=True,
    )
    return action_page(visit, head, plan, trouble)
