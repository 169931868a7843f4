"""An answer that a form has sent: taken, or not, with why; and what was typed is kept whatever becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import htpy as h

from fsm_agent.domain.json import object_schema
from fsm_agent.domain.question import Question
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import (
    AgentNotFound,
    NotAddressee,
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
from fsm_agent.server.service import A_MOMENT_S

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
        if asked is not None and asked.id == question and event in asked.events:
            return await _send(visit, agent_id, asked, event)
        if await _is_repeat(visit, agent_id, await visit.service.runner.workflow(agent.definition), question, event):
            return Outcome(agent_id, is_taken=True)
        return _late(visit, agent_id, await _why(visit, agent_id, question))
    except StoreUnavailable as error:
        typed = of_pairs(visit.form)
        return Outcome(agent_id, why=_AWAY, typed=typed, can_repeat=True, status=problem_of(error).status)
    except (AgentNotFound, NotAsked, QuestionClosed) as error:
        return _late(visit, agent_id, str(error))
    except NotAddressee as error:
        return _late(visit, agent_id, str(error), status=problem_of(error).status)


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
    except (NotAsked, QuestionClosed, NotAddressee):
        raise
    except Refused as error:
        told = error.problems if isinstance(error, PayloadInvalid) else [str(error)]
        problems = [Problem("", str(each)) for each in told]
        return Outcome(agent_id, attempt=Attempt(event, reading.typed, problems), status=problem_of(error).status)
    await visit.service.go_on(agent, A_MOMENT_S)
    return Outcome(agent_id, is_taken=True)


async def _is_repeat(visit: Visit, agent_id: str, workflow: Workflow, question: int, event: str) -> bool:
    """Whether the very same form has been sent before and was taken, as by a second click, or by somebody who has
    not learnt what became of the first. Its key says so, and the store compares what was sent."""
    key = visit.sent("key")
    if not key or event not in workflow.events:
        return False
    payload = read(visit.form, object_schema(workflow.payload_fields(event)), besides=BESIDES).payload
    if payload is None:
        return False
    try:
        await visit.service.runner.answer(
            agent_id, payload, event=event, question=question, key=key, by=visit.caller.name, drive=False
        )
    except Refused:
        return False
    return True


async def _why(visit: Visit, agent_id: str, question: int) -> str:
    """Why a question cannot be answered with this form."""
    closed = await visit.service.runner.closed_question(agent_id, question)
    return str(closed) if closed else "the question takes other answers now; look at it again"


def _late(visit: Visit, agent_id: str, why: str, *, status: int = 409) -> Outcome:
    return Outcome(agent_id, why=why, typed=of_pairs(visit.form), status=status)


def _number(visit: Visit) -> int:
    text = visit.sent("question") or ""
    if not is_number(text):
        raise HttpProblem(422, "question-unnamed", "the form does not say which question it answers")
    return int(text)


def is_number(text: str) -> bool:
    """Whether a text may name a question."""
    return text.isascii() and text.isdecimal() and len(text) < 16


def typed_again(visit: Visit, outcome: Outcome, action: str) -> h.Node:
    """Why an answer was not taken, and what was typed; with a button to send the same again where that may help."""
    told = closed_card(outcome.why, outcome.typed or {})
    if not outcome.can_repeat:
        return told
    pairs = [h.input(type="hidden", name=name, value=text) for name, text in visit.form]
    return [told, h.form(method="post", action=action)[pairs, h.button(".main")["Send it again"]]]
