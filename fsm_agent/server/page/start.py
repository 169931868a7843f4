"""The form that starts an agent: its first event, its data, and whom it serves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.domain.json import Schema, is_required, object_schema
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError, KeyReuse, Refused, StoreUnavailable
from fsm_agent.server.api.schema_parts import AGENT_ID
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.problems import Problem
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import render
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link
from fsm_agent.server.page.workflows import description, found_workflow
from fsm_agent.server.problems import HttpProblem, problem_of
from fsm_agent.server.tokens import Scope

#: what the form has beside the fields of its schema
_EVENT: Final = "event"
_KEY: Final = "key"
#: the parts whose fields the engine completes with their defaults
_COMPLETED: Final = ("/payload", "/data")
#: the event of an agent that begins by itself
_BY_ITSELF: Final = ""


async def show_start(visit: Visit) -> Response:
    """``GET /workflows/{name}/start``."""
    workflow = await _startable(visit)
    event = _chosen(workflow, visit.query.get(_EVENT))
    form = fields(_schema(workflow, event, is_all=_is_all(visit)), _COMPLETED)
    return _page(visit, workflow, event, Reading(None, filled(form)), secrets.token_urlsafe(16))


async def start(visit: Visit) -> Response:
    """``POST /workflows/{name}/start``."""
    workflow = await _startable(visit)
    event, key = _chosen(workflow, visit.sent(_EVENT)), visit.sent(_KEY) or secrets.token_urlsafe(16)
    reading = read(
        visit.form, _schema(workflow, event, is_all=_is_all(visit)), besides=(_EVENT, _KEY), completed=_COMPLETED
    )
    if reading.payload is None:
        return _page(visit, workflow, event, reading, key)
    given: dict[str, Any] = reading.payload
    about = given.get("about") or {}
    labels = about.get("labels") or ()
    if twice := _labels_given_twice(labels):
        return _page(visit, workflow, event, reading._replace(problems=twice), key)
    try:
        agent = await visit.service.runner.start(
            workflow,
            event or None,
            given.get("payload"),
            data=given.get("data"),
            id=about.get("id"),
            user=about.get("user"),
            labels=dict(map(_label, labels)),
            key=key,
            by=visit.caller.name,
            drive=False,
        )
    except FsmAgentError as error:
        return _refused(visit, workflow, event, reading, key=key, error=error)
    await visit.service.go_on(agent)
    if visit.may(Scope.READ):
        return RedirectResponse(visit.link("agents", agent.id), 303)
    return page(visit, "Started", h.h1["Started"], h.p["The agent ", agent_link(visit, agent.id), " has begun."])


def _refused(
    visit: Visit, workflow: Workflow, event: str, reading: Reading, *, key: str, error: FsmAgentError
) -> Response:
    """The form again, with why no agent was started and with all that was typed."""
    match error:
        case StoreUnavailable():
            told = ["The store does not answer now. Send it again: one agent is started, and not two."]
        case KeyReuse():
            key = secrets.token_urlsafe(16)
            told = ["This form has already started an agent, with other values. Send it again to start another one."]
        case Refused():
            told = [str(each) for each in getattr(error, "problems", ())] or [str(error)]
        case _:
            raise error
    problems = tuple(Problem("", text) for text in told)
    return _page(visit, workflow, event, reading._replace(problems=problems), key, status=problem_of(error).status)


async def _startable(visit: Visit) -> Workflow:
    name, known = await found_workflow(visit)
    if not known.can_start:
        raise HttpProblem(404, "workflow-unknown", f"workflow {name!r} has no file here, so none can be started")
    return visit.service.startable(name)


def _first_events(workflow: Workflow) -> Sequence[str]:
    """What an agent may begin with: the events that its first state handles, and nothing where it works or asks."""
    leaf = workflow.leaf(workflow.initial)
    return [_BY_ITSELF] if leaf.do or leaf.ask else [*workflow.first_events, _BY_ITSELF]


def _chosen(workflow: Workflow, event: str | None) -> str:
    events = _first_events(workflow)
    return event if event is not None and event in events else events[0]


def _schema(workflow: Workflow, event: str, *, is_all: bool) -> Schema:
    """What the form asks for, in the order of its parts."""
    parts: dict[str, Any] = {}
    if event and workflow.payload_fields(event):
        parts["payload"] = {**object_schema(workflow.payload_fields(event)), "title": _words(event)}
    if data := _asked_data(workflow, is_all=is_all):
        parts["data"] = {**object_schema(data), "title": "Data that the agent begins with"}
    parts["about"] = {
        "type": "object",
        "title": "About the agent",
        "properties": {
            "id": {**AGENT_ID, "title": "Id", "description": "A new one if left empty."},
            "user": {"type": "string", "minLength": 1, "description": "Whom it serves."},
            "labels": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[^=]+(=|$)"},
                "description": "To find it again, such as team=field.",
            },
        },
        "additionalProperties": False,
    }
    return {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}


def _is_all(visit: Visit) -> bool:
    return "all" in visit.query


def _asked_data(workflow: Workflow, *, is_all: bool) -> Mapping[str, Schema]:
    """The fields of the data that a form asks for: those without which no agent can begin, or all."""
    return {name: schema for name, schema in workflow.data.items() if is_all or is_required(schema)}


def _label(typed: str) -> tuple[str, str]:
    """A name, and what stands behind the first ``=``."""
    name, _, text = typed.partition("=")
    return name, text


def _labels_given_twice(labels: Sequence[str]) -> tuple[Problem, ...]:
    """A problem for each name that several labels have."""
    names = [_label(each)[0] for each in labels]
    return tuple(
        Problem("/about/labels", f"A label has one text, and {name!r} stands there twice")
        for number, name in enumerate(names)
        if names[:number].count(name) == 1
    )


def _words(event: str) -> str:
    return event.replace("_", " ").capitalize() if event else "Nothing: it waits"


def _page(
    visit: Visit, workflow: Workflow, event: str, reading: Reading, key: str, *, status: int | None = None
) -> Response:
    name = workflow.name
    form = h.form(
        ".form.start.card", method="post", action=visit.link("workflows", name, "start", all=visit.query.get("all"))
    )[
        h.input(type="hidden", name=_EVENT, value=event),
        h.input(type="hidden", name=_KEY, value=key),
        render(
            fields(_schema(workflow, event, is_all=_is_all(visit)), _COMPLETED),
            reading.typed,
            reading.problems,
            prefix="start",
            changed=reading.changed,
        ),
        h.p[
            h.button(".main")["Start"],
            [" ", h.a(".button", href=visit.link("workflows", name))["Back"]] if visit.may(Scope.READ) else None,
        ],
    ]
    return page(
        visit,
        f"Start {name}",
        h.h1(dir="auto")[f"Start {name}"],
        description(workflow),
        _choice(visit, workflow, event),
        _more(visit, workflow, event),
        form,
        place="workflows",
        styles=("forms.css", "workflows.css"),
        status=status or (422 if reading.problems else 200),
    )


def _more(visit: Visit, workflow: Workflow, event: str) -> h.Node:
    """The way to the form with all fields of the data, if they are not all in it."""
    count = len(workflow.data) - len(_asked_data(workflow, is_all=_is_all(visit)))
    if not count:
        return None
    href = visit.link("workflows", workflow.name, "start", event=event, all=1)
    return h.p[h.a(href=href)[f"Ask for {count} more {'field' if count == 1 else 'fields'} of its data"]]


def _choice(visit: Visit, workflow: Workflow, event: str) -> h.Node:
    """Ways to the forms of the other first events."""
    events = _first_events(workflow)
    if len(events) < 2:
        return None
    ways = [
        h.a(
            href=visit.link("workflows", workflow.name, "start", event=each),
            aria_current="true" if each == event else None,
        )[_words(each)]
        for each in events
    ]
    return h.nav(".ways", aria_label="First event")["It begins with ", ways]
