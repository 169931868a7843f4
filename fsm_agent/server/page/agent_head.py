"""The first lines of an agent's page: who it is, how it stands now, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h

from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.server.page.texts import isolated, one_line
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, deadline, label_text, moment, status_badge, workflow_link
from fsm_agent.server.tokens import Scope


def header(visit: Visit, head: Head) -> h.Node:
    """The lines about an agent as it is now."""
    return h.header("#head")[
        h.div(".title-row")[
            h.h1(dir="auto")[head.id],
            h.p(".standing")[status_badge(head.status), " in ", h.strong(dir="auto")[head.state]],
            _actions(visit, head),
        ],
        h.ul(".facts")[[h.li[fact] for fact in _facts(visit, head)]],
    ]


def header_facts(head: Head) -> h.Node:
    """How an agent stands now, on one line."""
    return h.p(".standing")[
        "It is ", status_badge(head.status), " in ", h.strong(dir="auto")[head.state], f" at version {head.version:,}."
    ]


def _facts(visit: Visit, head: Head) -> Iterator[h.Node]:
    """What never changes first, so that nothing moves when the rest does."""
    yield [workflow_link(visit, head.workflow), f" v{head.workflow_version}"]
    if head.user is not None:
        yield ["for ", h.a(href=visit.link("agents", user=head.user))[isolated(one_line(head.user))]]
    for name, text in head.labels.items():
        address = visit.link("agents", label=f"{name}={text}")
        yield h.a(".label", href=address, dir="auto")[label_text(name, text)]
    if head.parent is not None:
        yield ["child of ", agent_link(visit, head.parent.id)]
    yield ["began ", moment(moment_of(head.created_ms))]
    yield [f"version {head.version:,}, ", moment(moment_of(head.updated_ms))]
    if head.timers and head.status not in ENDED:
        yield deadline(moment_of(min(timer.due_ms for timer in head.timers)))
    if head.progress is not None and str(head.progress):
        yield isolated(one_line(str(head.progress)))


def _actions(visit: Visit, head: Head) -> h.Node:
    """The ways to what an operator can do with an agent, whatever its state."""
    if not visit.may(Scope.OPERATE):
        return None
    ways = {}
    if head.status not in ENDED and head.status is not Status.PARKED:
        ways["send"] = "Send"
    ways["rewind"] = "Rewind"
    ways["fork"] = "Fork"
    if head.status not in ENDED:
        ways["cancel"] = "Cancel"
    return h.nav(".actions", aria_label="Actions")[
        [h.a(".button", href=visit.link("agents", head.id, way))[f"{text} …"] for way, text in ways.items()]
    ]
