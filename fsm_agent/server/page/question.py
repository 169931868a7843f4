"""The card of a question: what is asked, of whom, until when, and a form for each answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import htpy as h

from fsm_agent.domain.question import Question
from fsm_agent.server.page.forms.fields import fields, words
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.names import Typed, keys
from fsm_agent.server.page.forms.problems import Problem
from fsm_agent.server.page.forms.render import event_form
from fsm_agent.server.page.texts import isolated, visible
from fsm_agent.server.page.values import text
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import deadline
from fsm_agent.server.tokens import Scope

#: what a form sends besides what was typed
BESIDES: Final = ("question", "event", "key")
#: characters of a prompt; the rest is a link
_LONGEST: Final = 4_000
#: a prompt of more characters is higher than most windows
_TALL: Final = 800


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer that was sent, and not taken."""

    event: str
    typed: Typed
    problems: Sequence[Problem] = ()
    #: the place that a button has changed
    changed: str | None = None


def question_card(
    visit: Visit, agent_id: str, question: Question, attempt: Attempt | None = None, *, action: str | None = None
) -> h.Node:
    """The card. All ids in it begin with the agent's, for a page may have many cards. ``action`` is where answers are
    sent, by default to the page of the agent."""
    prompt_id = f"q-{agent_id}"
    return h.div(".question", data_question=str(question.id))[
        h.div(id=prompt_id, **_look(question.prompt))[_prompt(visit, agent_id, question)],
        h.p(".meta")[_asked(question), [" · ", deadline(question.deadline)] if question.deadline else None],
        _answers(visit, agent_id, question, attempt, action or visit.link("agents", agent_id, "answer")),
    ]


def _look(prompt: str) -> dict[str, h.Attribute]:
    """A long prompt has a scroll bar, so that the answers stay in sight; then keys must reach it."""
    is_long = len(prompt) > _TALL
    return {"class_": ["prompt", {"long": is_long}], "dir": "auto", "tabindex": "0" if is_long else None}


def _prompt(visit: Visit, agent_id: str, question: Question) -> h.Node:
    """What is asked; a long one goes on on a page of its own, which not everybody may look at."""
    address = visit.link("agents", agent_id, "value", of="agent", pointer="/question/prompt")
    return text(question.prompt, address, _LONGEST if visit.may(Scope.READ) else len(question.prompt))


def _asked(question: Question) -> h.Node:
    """The line that says who is asked."""
    if not question.to:
        return "asked of anybody"
    names = [[", " if place else "", isolated(name)] for place, name in enumerate(question.to)]
    return ["asked of ", names]


def _answers(visit: Visit, agent_id: str, question: Question, attempt: Attempt | None, action: str) -> h.Node:
    if not visit.may(Scope.ANSWER):
        return h.p(".hint")["Your token may not answer: that needs the scope answer."]
    if not question.is_for(visit.caller.name):
        return h.p(".hint")["You are ", isolated(visit.caller.name or "nobody"), ": it is for others to answer."]
    return h.div(".answers")[[_answer(agent_id, question, event, attempt, action) for event in question.events],]


def _answer(agent_id: str, question: Question, event: str, attempt: Attempt | None, action: str) -> h.Node:
    form, mine = fields(question.events[event]), attempt if attempt and attempt.event == event else None
    return event_form(
        event,
        form,
        mine.typed if mine else filled(form),
        mine.problems if mine else (),
        action=action,
        prefix=f"a-{agent_id}-{event}",
        hidden={"question": str(question.id), "event": event, "key": secrets.token_urlsafe(12)},
        described_by=f"q-{agent_id}",
        changed=mine.changed if mine else None,
    )


def closed_card(why: str, typed: Typed) -> h.Node:
    """What became of a question that was answered too late, and what was typed, to be copied."""
    texts = kept_texts(typed)
    told = h.p["What you typed was not sent on. It is kept here, so that you can copy it:"] if texts else None
    return h.div(".closed", role="alert")[h.p(dir="auto")[visible(why)], told, texts]


def kept_texts(typed: Typed) -> Sequence[h.Node]:
    """What was typed, name by name, to be read and copied."""
    return [_text(name, "\n".join(each)) for name, each in typed.items() if any(each)]


def _text(name: str, typed: str) -> h.Node:
    label = " ".join(map(words, keys(name.removeprefix("json:")))) or "Answer"
    return h.label(".kept")[h.span(dir="auto")[visible(label)], h.textarea(readonly=True, dir="auto", rows="3")[typed]]


def of_pairs(pairs: Sequence[tuple[str, str]]) -> Typed:
    """What was typed in a form whose schema is not known any more."""
    found: dict[str, tuple[str, ...]] = {}
    for name, each in pairs:
        if name not in BESIDES:
            found[name] = (*found.get(name, ()), each)
    return found


def asked_then(visit: Visit, agent_id: str, at: int, question: Question) -> h.Node:
    """A question of the past, which nobody can answer any more."""
    address = visit.link("agents", agent_id, "value", of="agent", at=at, pointer="/question/prompt")
    events: Mapping[str, object] = question.events
    return h.div(".question")[
        h.div(**_look(question.prompt))[text(question.prompt, address, _LONGEST)],
        h.p(".meta")[_asked(question), ", who could answer ", [_listed(events)]],
    ]


def _listed(names: Mapping[str, object]) -> h.Node:
    return [[" or " if place else "", h.code(dir="auto")[visible(name)]] for place, name in enumerate(names)]
