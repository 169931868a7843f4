"""An answer that a form has sent: taken, or not, with why; and what was typed is kept whatever becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import htpy as h

from fsm_agent.domain.question import Question
from fsm_agent.errors import (
    AgentNotFound,
    NotAsked,
    PayloadInvalid,
    QuestionClosed,
    Refused,
    StoreUnavailable,
)
from fsm_agent.server.page.forms.names import Typed
from fsm_agent.server.page.forms.problems import Problem
from fsm_agent.server.page.forms.reader import read
from fsm_agent.server.page.question import BESIDES, Attempt, closed_card, of_pairs
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.problems import HttpProblem, problem_of

_AWAY: Final = (
    "The store does not answer, so nobody knows yet whether your answer was taken. Send it again: it is taken once."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer."""

    agent_id: str
    is_taken: bool = False
    #: the answer, if its question is still open
    attempt: Attempt | None = None
    #: why it was not taken, if its question is not open any more, or nobody knows
    why: str = ""
    typed: Typed | None = None
    #: whether sending it again may help
    can_repeat: bool = False
    status: int = 200


async def send_answer(visit: Visit) -> Outcome:
    """Answer the question of the agent that the path names, with what the form has sent."""
    agent_id, question, event = visit.request.path_params["id"], _number(visit), visit.sent("event") or ""
    try:
        agent = await visit.service.runner.get(agent_id)
        asked = agent.question
        if asked is None or asked.id != question or event not in asked.events:
            return _late(visit, agent_id, await _why(visit, agent_id, question))
        return await _send(visit, agent_id, asked, event)
    except StoreUnavailable as error:
        typed = of_pairs(visit.form)
        return Outcome(agent_id, why=_AWAY, typed=typed, can_repeat=True, status=problem_of(error).status)
    except (AgentNotFound, NotAsked, QuestionClosed) as error:
        return _late(visit, agent_id, str(error))


async def _send(visit: Visit, agent_id: str, asked: Question, event: str) -> Outcome:
    reading = read(visit.form, asked.events[event], besides=BESIDES)
    if reading.payload is None:
        attempt = Attempt(event, reading.typed, reading.problems, reading.changed)
        return Outcome(agent_id, attempt=attempt, status=422 if reading.problems else 200)
    runner, key = visit.service.runner, visit.sent("key") or None
    try:
        agent = await runner.answer(
            agent_id, reading.payload, event=event, question=asked.id, key=key, by=visit.caller.name, drive=False
        )
    except (NotAsked, QuestionClosed):
        raise
    except Refused as error:
        told = error.problems if isinstance(error, PayloadInvalid) else [str(error)]
        problems = [Problem("", str(each)) for each in told]
        return Outcome(agent_id, attempt=Attempt(event, reading.typed, problems), status=problem_of(error).status)
    await visit.service.go_on(agent, _A_MOMENT_S)
    return Outcome(agent_id, is_taken=True)


#: seconds that an answer waits for what the agent does next, so that the next page tells of it
_A_MOMENT_S: Final = 0.3


async def _why(visit: Visit, agent_id: str, question: int) -> str:
    """Why a question cannot be answered with this form. A repeat of an answer that was taken is told so, too."""
    closed = await visit.service.runner.closed_question(agent_id, question)
    return str(closed) if closed else "the question takes other answers now; look at it again"


def _late(visit: Visit, agent_id: str, why: str) -> Outcome:
    return Outcome(agent_id, why=why, typed=of_pairs(visit.form), status=409)


def _number(visit: Visit) -> int:
    text = visit.sent("question") or ""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise HttpProblem(422, "question-unnamed", "the form does not say which question it answers")
    return int(text)


def typed_again(visit: Visit, outcome: Outcome, action: str) -> h.Node:
    """Why an answer was not taken, and what was typed; with a button to send the same again where that may help."""
    told = closed_card(outcome.why, outcome.typed or {})
    if not outcome.can_repeat:
        return told
    pairs = [h.input(type="hidden", name=name, value=text) for name, text in visit.form]
    return [told, h.form(method="post", action=action)[pairs, h.button(".main")["Send it again"]]]
