"""The inbox: every open question with a form for each answer. It is the first page, for most people the only one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import htpy as h
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from fsm_agent.domain.summary import AgentSummary
from fsm_agent.errors import AgentNotFound, FsmAgentError, QuestionClosed
from fsm_agent.server.event_stream import EventStream
from fsm_agent.server.inbox import Inbox, InboxPage, Whose
from fsm_agent.server.page.answers import Outcome, is_number, send_answer, typed_again
from fsm_agent.server.page.forms.fields import words
from fsm_agent.server.page.question import Attempt, question_card
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, damage_list, moment, workflow_link
from fsm_agent.server.question_feed import QuestionFeed
from fsm_agent.server.step_pages import event
from fsm_agent.server.tokens import Scope

_NAMES: Final = {
    Whose.MAY_ANSWER: "For me or anybody",
    Whose.MINE: "For me by name",
    Whose.ANYBODY: "For anybody",
    Whose.ALL: "All",
}
#: what the address of an inbox says
_KEPT: Final = ("for", "workflow")
#: seconds without a change after which a comment tells proxies that the stream lives
_QUIET_S: Final = 15.0


async def first(visit: Visit) -> Response:
    """``GET /``: the inbox, or the agents for who may only look at them."""
    if not visit.may(Scope.ANSWER) and visit.may(Scope.READ):
        return RedirectResponse(visit.link("agents"), 303)
    visit.require(Scope.ANSWER)
    return await _page(visit, notice=await _notice(visit))


async def back(visit: Visit) -> Response:
    """``GET /answer/{id}``: somebody loads the page again that has told why an answer was not taken."""
    return RedirectResponse(visit.link(**_kept(visit)), 303)


async def answer(visit: Visit) -> Response:
    """``POST /answer/{id}``: an answer from the inbox."""
    outcome = await send_answer(visit)
    if outcome.is_taken:
        done = {"answered": outcome.agent_id, "question": visit.sent("question")}
        return RedirectResponse(visit.link(**_kept(visit), **done), 303)
    return await _page(visit, outcome=outcome, status=outcome.status)


async def _page(visit: Visit, *, outcome: Outcome | None = None, notice: h.Node = None, status: int = 200) -> Response:
    inbox, store = _inbox(visit), visit.service.runner.store
    whose, workflow = inbox.whose, inbox.workflow
    found, count = await inbox.read(store), await inbox.count(store)
    if whose is Whose.MAY_ANSWER and not workflow:
        visit = replace(visit, open_questions=count)
    first = outcome.agent_id if outcome and outcome.attempt else None
    return page(
        visit,
        f"Inbox ({count})" if count else "Inbox",
        h.h1["Inbox"],
        _filters(visit, whose, workflow, count),
        notice,
        _told(visit, outcome),
        h.p("#news.news", hidden=True, role="status"),
        h.div("#questions", _live(visit))[
            [
                _card(visit, each, outcome.attempt if outcome and each.id == first else None)
                for each in _ordered(found, first)
            ]
        ]
        if found.questions
        else _nothing(visit, whose, workflow),
        _next(visit, found),
        place="inbox",
        styles=("forms.css", "inbox.css"),
        scripts=("inbox.js",),
        status=status,
    )


def _inbox(visit: Visit) -> Inbox:
    """The page that the address names."""
    wanted = visit.query.get("for", "")
    whose = Whose(wanted) if wanted in list(Whose) else Whose.MAY_ANSWER
    return Inbox(whose, visit.caller.name, visit.query.get("workflow"), visit.query.get("after"))


def _kept(visit: Visit) -> dict[str, str]:
    """The parameters that say which inbox it is; an answer carries them in its address."""
    return {("for_" if name == "for" else name): visit.query[name] for name in _KEPT if visit.query.get(name)}


def _live(visit: Visit) -> dict[str, h.Attribute]:
    shown = {**_kept(visit), "after": visit.query.get("after")}
    return {
        "data-address": visit.link(**shown),
        "data-live": visit.link("live", "inbox", **shown),
        "data-closed": visit.link("live", "closed"),
    }


def _ordered(found: InboxPage, first: str | None) -> list[AgentSummary]:
    """The questions; that of an answer that was not taken stands first."""
    return sorted(found.questions, key=lambda each: each.id != first)


def _filters(visit: Visit, whose: Whose, workflow: str | None, count: int) -> h.Node:
    ways = [
        h.li[
            h.a(
                href=visit.link(for_=None if each is Whose.MAY_ANSWER else str(each), workflow=workflow),
                aria_current="true" if each is whose else None,
            )[text, [" ", h.span(".count")[f"{count:,}"]] if each is whose else None]
        ]
        for each, text in _NAMES.items()
    ]
    chosen = h.p(".chosen")[
        "Only of ",
        workflow_link(visit, workflow or ""),
        " · ",
        h.a(href=visit.link(for_=visit.query.get("for")))["of all"],
    ]
    return [h.nav(aria_label="Whose questions")[h.ul(".statuses")[ways]], chosen if workflow else None]


def _card(visit: Visit, agent: AgentSummary, attempt: Attempt | None) -> h.Node:
    question = agent.question
    if question is None:
        return None
    return h.article(
        ".card.asked",
        {"data-key": f"{agent.id} {question.id}", "data-agent": agent.id, "aria-labelledby": f"h-{agent.id}"},
    )[
        h.h2(".where", id=f"h-{agent.id}")[
            agent_link(visit, agent.id),
            h.span(".quiet")[" in ", h.a(href=visit.link(workflow=agent.workflow))[h.bdi[agent.workflow]]],
        ],
        h.p(".when.meta")["asked ", moment(agent.updated_at)],
        question_card(visit, agent.id, question, attempt, action=visit.link("answer", agent.id, **_kept(visit))),
    ]


async def _notice(visit: Visit) -> h.Node:
    """What has become of the agent that was just answered. It is looked up, so that no address can claim anything."""
    agent_id, question = visit.query.get("answered"), visit.query.get("question", "")
    if not agent_id:
        return None
    try:
        head = await visit.service.runner.store.head(agent_id)
        told = await visit.service.runner.closed_question(agent_id, int(question)) if is_number(question) else None
    except FsmAgentError:
        return None
    said: h.Node = [h.bdi[_answered(visit, told)], " "] if told and told.is_answered else None
    return h.p(".notice", role="status")[
        said, agent_link(visit, head.id), f" is {head.status} now, in ", h.bdi[visible(head.state)], "."
    ]


def _answered(visit: Visit, told: QuestionClosed) -> str:
    """A sentence that says who has answered, and what."""
    by, event = (told.closed.by, told.closed.event) if told.closed else (None, "")
    if by is not None and by == visit.caller.name:
        return f"You have answered: {words(event)}."
    return f"{one_line(by or 'Somebody')} has answered: {words(event)}."


def _told(visit: Visit, outcome: Outcome | None) -> h.Node:
    """Why an answer was not taken, where no card of the list can say it."""
    if outcome is None or outcome.attempt is not None:
        return None
    return h.section(".card.refused")[
        h.h2["Your answer to ", agent_link(visit, outcome.agent_id), " was not taken"],
        typed_again(visit, outcome, visit.link("answer", outcome.agent_id, **_kept(visit))),
    ]


def _nothing(visit: Visit, whose: Whose, workflow: str | None) -> h.Node:
    more = h.p[h.a(href=visit.link(for_="all"))["Show the questions to everybody"]]
    return h.div("#questions.empty", _live(visit))[
        h.p[h.strong["Nobody waits for an answer of yours." if whose is not Whose.ALL else "No agent asks anything."]],
        h.p["When an agent asks something, its question appears here with a form for the answer."],
        more if whose is not Whose.ALL or workflow else h.p[h.a(href=visit.link("workflows"))["Start an agent"]],
    ]


def _next(visit: Visit, found: InboxPage) -> h.Node:
    told = damage_list(found.damaged)
    if found.next is None:
        return told
    return [h.p(".next")[h.a(".button", href=visit.link(**_kept(visit), after=found.next), rel="next")["More"]], told]


async def live(visit: Visit) -> Response:
    """``GET /live/inbox``: an event ``changed`` whenever the page that the address names is not what it was."""
    inbox = _inbox(visit)
    _ = inbox.place  # what is none is refused before anything is sent
    return EventStream(_changes(visit.service.questions, inbox))


async def _changes(questions: QuestionFeed, inbox: Inbox) -> AsyncIterator[bytes]:
    with questions.watch(inbox) as watch:
        yield b"retry: 2000\n\n"
        while not questions.is_closed:
            if await watch.change(_QUIET_S):
                yield event("changed", {})
            else:
                yield b": the stream lives\n\n"


async def closed(visit: Visit) -> Response:
    """``GET /live/closed/{id}/{question}``: what became of a question, for the script to write beside its form. Empty
    if it is still open."""
    agent_id, question = visit.request.path_params["id"], visit.request.path_params["question"]
    try:
        told = await visit.service.runner.closed_question(agent_id, question)
    except AgentNotFound:
        return PlainTextResponse("The agent is gone.")
    if told is None:
        return PlainTextResponse("")
    if told.closed is None or not told.is_answered:
        return PlainTextResponse("This is not asked any more.")
    return PlainTextResponse(_answered(visit, told))
