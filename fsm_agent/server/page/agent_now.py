"""What an agent does now, or did at the version that is shown: it asks, works, waits, stands still, or has ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import htpy as h

from fsm_agent.domain.agent import ENDED, Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.runtime.agent_reads import Children, read_children, read_doubts
from fsm_agent.server.page.agent_facts import Facts, link, readable
from fsm_agent.server.page.question import Attempt, asked_then, question_card
from fsm_agent.server.page.texts import isolated, visible
from fsm_agent.server.page.values import text, tree
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import moment
from fsm_agent.server.tokens import Scope

#: characters of an error; the rest is a link
_LONGEST_ERROR = 1_500


class Now(NamedTuple):
    """What the card shows besides the agent."""

    #: effects for which it is parked, or the sentence that says why they cannot be read
    doubts: Sequence[EffectEntry] | str = ()
    children: Children | str | None = None


async def read_now(visit: Visit, facts: Facts) -> Now:
    store = visit.service.runner.store
    if facts.is_past:
        return Now()
    if facts.agent.status is Status.PARKED:
        return Now(doubts=await readable(read_doubts(store, facts.agent)))
    if facts.agent.status is Status.RUNNING:
        return Now(children=await readable(read_children(store, facts.now)))
    return Now()


def now_card(visit: Visit, facts: Facts, now: Now, attempt: Attempt | None = None, *, note: h.Node = None) -> h.Node:
    """The card; ``note`` stands above it all."""
    title = f"As it was at version {facts.head.version:,}" if facts.is_past else "Now"
    return h.section("#now", class_=["card", {"past": facts.is_past}], aria_labelledby="now-title", tabindex="-1")[
        h.h2("#now-title")[title],
        note,
        _standing(facts) if facts.is_past else None,
        _doing(visit, facts, now, attempt),
    ]


def _standing(facts: Facts) -> h.Node:
    return h.p[f"It was {facts.agent.status} in ", h.strong(dir="auto")[facts.agent.state], "."]


def _doing(visit: Visit, facts: Facts, now: Now, attempt: Attempt | None) -> h.Node:
    agent = facts.agent
    match agent.status:
        case Status.WAITING if agent.question is not None and facts.is_past:
            return asked_then(visit, agent.id, facts.head.version, agent.question)
        case Status.WAITING if agent.question is not None:
            return question_card(visit, agent.id, agent.question, attempt)
        case Status.WAITING:
            return _waiting(visit, facts)
        case Status.RUNNING:
            return _working(visit, facts, now)
        case Status.PARKED:
            return [_error(visit, facts), None if facts.is_past else _ways_on(visit, agent, now)]
        case _:
            return _ended(visit, facts)


def _waiting(visit: Visit, facts: Facts) -> h.Node:
    """What it waits for: events, each a way to send it, and timers."""
    agent = facts.agent
    can_send = visit.may(Scope.OPERATE) and not facts.is_past
    waits = "It waited" if facts.is_past else "It waits"
    events = [event for event in agent.allowed if event != "cancel"]
    ways = [
        h.a(".button", href=link(visit, facts, "send", event=event), dir="auto")[visible(event)]
        if can_send
        else h.code(dir="auto")[visible(event)]
        for event in events
    ]
    return [
        h.p[waits, " for an event:" if ways else "."],
        h.p(".buttons")[[[way, " "] for way in ways]] if ways else None,
        _timers(facts),
    ]


def _timers(facts: Facts) -> h.Node:
    if not facts.head.timers:
        return None
    return h.ul(".timers")[
        [
            h.li["after ", timer.label, " in ", isolated(timer.state), ": ", moment(moment_of(timer.due_ms))]
            for timer in sorted(facts.head.timers, key=lambda timer: timer.due_ms)
        ]
    ]


def _working(visit: Visit, facts: Facts, now: Now) -> h.Node:
    agent, action = facts.agent, facts.workflow.by_path[facts.agent.state].do
    does, goes = ("It did ", "It went on.") if facts.is_past else ("It does ", "It goes on.")
    what = [does, h.code(dir="auto")[action], "." if agent.retry is None else ","] if action else goes
    return [
        _left_to_others(facts) or [h.p[what, _attempt(facts)], _failed_attempt(facts)],
        _queue(facts),
        _children(visit, facts, now.children),
        _timers(facts),
    ]


def _left_to_others(facts: Facts) -> h.Node:
    """That no worker which took it had its action."""
    retry = facts.agent.retry
    if retry is None or retry.problem is None or not retry.is_left_to_others:
        return None
    told = h.p(".problem", dir="auto")[visible(retry.problem.message[:_LONGEST_ERROR])]
    return [told, h.p["It goes on as soon as a worker runs that has this action."]]


def _attempt(facts: Facts) -> h.Node:
    head, retry = facts.head, facts.agent.retry
    if retry is None:
        return [" It goes on ", moment(moment_of(head.retry_ms)), "."] if head.retry_ms else None
    declared = facts.workflow.by_path[head.state].retry
    of = f" of {declared.attempts}" if declared else ""
    return [f" attempt {retry.attempt}{of}", [" at ", moment(moment_of(retry.at_ms))] if retry.at_ms else None, "."]


def _failed_attempt(facts: Facts) -> h.Node:
    retry = facts.agent.retry
    if retry is None or retry.problem is None:
        return None
    return h.p(".problem", dir="auto")[
        "The last attempt failed: ", visible(f"{retry.problem.type}: {retry.problem.message}"[:_LONGEST_ERROR])
    ]


def _queue(facts: Facts) -> h.Node:
    count = facts.head.queued
    return h.p[f"{count} event{'' if count == 1 else 's'} wait until it is done."] if count else None


def _children(visit: Visit, facts: Facts, children: Children | str | None) -> h.Node:
    if children is None:
        return None
    if isinstance(children, str):
        return h.p(".problem")[children]
    ended = sum(child.status in ENDED for child in children.heads)
    address = link(visit, facts, tab="children")
    return h.p[h.a(href=address)[f"{ended} of {children.total} children"], " have ended."]


def _error(visit: Visit, facts: Facts) -> h.Node:
    """Why it is parked, or has failed."""
    error = facts.agent.error
    if error is None:
        return None
    address = link(visit, facts, "value", of="agent", at=facts.at, pointer="/error/message")
    place = error.get("place")
    kind, message = str(error["type"]), str(error["message"])
    told = why_parked(kind, message)
    if told != f"{kind}: {message}":
        return h.p(dir="auto")[visible(told)]
    return h.div(".error")[
        h.p(".problem")[h.strong(dir="auto")[visible(kind)], " ", text(message, address, _LONGEST_ERROR)],
        h.p(".meta", dir="auto")[visible(str(place))] if place else None,
    ]


#: what whoever has a command line is told to type
_COMMANDS = re.compile(r"(, and (once it is unparked|`unpark --retry`)|; find out, and tell `unpark`) .*", re.DOTALL)


def why_parked(kind: str, message: str) -> str:
    """Why it stands still, for whoever has buttons. Who was rewound or forked has done nothing wrong."""
    told = _COMMANDS.sub("", message)
    if kind in ("Rewound", "Forked"):
        return f"It was {told}. Its work begins when it is let try again."
    return f"{kind}: {told}"


def _ways_on(visit: Visit, agent: Agent, now: Now) -> h.Node:
    """How an operator lets a parked agent go on."""
    if not visit.may(Scope.OPERATE):
        return h.p(".hint")["An operator must say how it goes on."]
    if isinstance(now.doubts, str):
        return h.p(".problem")[now.doubts]
    return [
        [_doubt(visit, agent, entry) for entry in now.doubts],
        h.p(".buttons")[
            h.a(class_=["button", {"main": not now.doubts}], href=visit.link("agents", agent.id, "unpark"))[
                "Try again …"
            ],
            " ",
            h.a(".button", href=visit.link("agents", agent.id, "send"))["Send an event instead …"],
        ],
    ]


def _doubt(visit: Visit, agent: Agent, entry: EffectEntry) -> h.Node:
    """An effect of which nobody knows whether it happened."""

    def way(outcome: str, words: str) -> h.Node:
        return h.a(".button", href=visit.link("agents", agent.id, "unpark", effect=entry.key, outcome=outcome))[words]

    return h.div(".doubt")[
        h.p[
            "Was ",
            h.code(dir="auto")[visible(entry.name)],
            " done? It was begun ",
            moment(moment_of(entry.begun_ms)),
            ".",
        ],
        h.p(".buttons")[way("done", "It was done …"), " ", way("not_done", "It was not done …")],
    ]


def _ended(visit: Visit, facts: Facts) -> h.Node:
    agent = facts.agent
    words = {Status.DONE: "It is done.", Status.FAILED: "It has failed.", Status.CANCELLED: "It is cancelled."}
    return [
        h.p[words[agent.status]],
        _error(visit, facts),
        _output(visit, facts, agent.output) if agent.output else None,
    ]


def _output(visit: Visit, facts: Facts, output: Json) -> h.Node:
    def whole(pointer: str) -> str:
        return link(visit, facts, "value", of="agent", at=facts.at, pointer=f"/output{pointer}")

    return [h.h3["Output"], tree(output, whole, most=200)]
