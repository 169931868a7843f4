"""A dialogue between an agent and a person at a terminal, until the agent ends or the person leaves."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.cli.session import Session
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import question_block
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.question import Question
from fsm_agent.errors import NotAddressee, Refused


async def converse(session: Session, agent: Agent) -> Agent:
    """Ask an agent's questions one after the other, if the person may answer them. Ctrl-D leaves the agent waiting."""
    while agent.question is not None:
        output.print_blocks([question_block(agent.question)])
        if not agent.question.is_for(session.settings.by):
            output.say(str(NotAddressee(session.settings.by, agent.question.to)))
            return agent
        try:
            event, payload = await ask_answer(agent.question)
        except EOFError:
            return agent
        agent = await _deliver(session, agent, event, payload)
    return agent


async def _deliver(session: Session, agent: Agent, event: str, payload: Mapping[str, Json]) -> Agent:
    """Answer the question that was shown. If the answer is refused, say so, and ask again."""
    question = agent.question and agent.question.id
    by, version = session.settings.by, agent.version
    call = session.runner.answer(agent.id, payload, event=event, question=question, by=by, expect_version=version)
    try:
        return await session.follow(call)
    except Refused as refusal:
        output.say(f"refused: {refusal}")
        return await session.runner.get(agent.id)


async def ask_answer(question: Question, event: str | None = None) -> tuple[str, Mapping[str, Json]]:
    """The chosen answer, if there are several, and its fields. A given ``event`` asks for required fields only."""
    if event is not None:
        return event, await ask_missing(question.events[event], {})
    from fsm_agent.cli.input.forms import ask_choice, ask_form

    events = list(question.events)
    chosen = events[0] if len(events) == 1 else await ask_choice("Your answer", events)
    return chosen, await ask_form(question.events[chosen])


async def ask_missing(schema: Schema, given: Mapping[str, Json]) -> Mapping[str, Json]:
    """``given``; if a required field is missing, the fields are asked for."""
    if all(name in given for name in schema["required"]):
        return given
    from fsm_agent.cli.input.forms import ask_form

    return await ask_form(schema, known=given)
