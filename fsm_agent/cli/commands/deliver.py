"""``answer``, ``send`` and ``resume`` for an agent that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from fsm_agent.cli.commands.dialogue import ask_answer
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.values import payload_of
from fsm_agent.cli.session import Session
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import question_block
from fsm_agent.concurrency import event_loop
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.question import Question
from fsm_agent.domain.step import moment
from fsm_agent.domain.text import listed
from fsm_agent.errors import LeaseHeld, NotAddressee
from fsm_agent.report.times import when
from fsm_agent.runtime.processes import is_alive

#: a timer may wake a little too early
_MARGIN_MS: Final = 50


async def answer(
    session: Session,
    agent_id: str,
    value: str | None,
    *,
    event: str | None,
    question: int | None,
    expect_version: int | None,
    no_drive: bool,
) -> Agent:
    """Answer an agent's question with VALUE. On a terminal, missing values are asked for. The answer is for the
    question whose form was used to read it."""
    runner, by = session.runner, session.settings.by
    agent = await find(runner.store, agent_id, runner.get)
    agent_id, asked, payload = agent.id, agent.question, None
    if asked is not None and event in (None, *asked.events) and question in (None, asked.id):
        question = asked.id
        if value is None and output.is_conversation(session.settings):
            event, payload = await _filled_in(asked, event, by)
            expect_version = expect_version or agent.version  # what was shown
        else:
            event = event or _only(agent_id, list(asked.events))
            payload = payload_of(value, event, asked.events[event])
    call = runner.answer(
        agent_id, payload, event=event, question=question, by=by, expect_version=expect_version, drive=not no_drive
    )
    return await session.follow(call)


async def _filled_in(asked: Question, event: str | None, by: str | None) -> tuple[str, Mapping[str, Json]]:
    """The answer that a person types. Raises ``NotAddressee`` before the form if the person may not answer."""
    output.print_blocks([question_block(asked)])
    if not asked.is_for(by):
        raise NotAddressee(by, asked.to)
    return await ask_answer(asked, event)


def _only(agent_id: str, events: list[str]) -> str:
    if len(events) == 1:
        return events[0]
    raise click.ClickException(f"agent {agent_id!r} takes {listed(events)} as an answer: say with --event which it is")


async def send(
    session: Session,
    agent_id: str,
    event: str,
    *,
    payload: Mapping[str, Json] | None,
    key: str | None,
    expect_version: int | None,
    no_drive: bool,
) -> Agent:
    """Send an event; the engine checks it."""
    by, agent_id = session.settings.by, await session.whole_id(agent_id)
    call = session.runner.send(
        agent_id, event, payload, key=key, by=by, expect_version=expect_version, drive=not no_drive
    )
    return await session.follow(call)


def way_out(
    *,
    retry: bool,
    event: str | None,
    payload: Mapping[str, Json] | None,
    effect: str | None,
    result: tuple[Json] | None,
    not_done: bool,
    expect_version: int | None,
) -> dict[str, Json]:
    """The arguments of ``Runner.unpark``; raises ``click.ClickException`` for options that exclude each other."""
    ways = [option for option, is_given in {"--retry": retry, "--event": event, "--effect": effect}.items() if is_given]
    if not ways:
        how = "say how it goes on, with --retry, with --event EVENT or with --effect KEY"
        raise click.UsageError(how, click.get_current_context())
    if len(ways) > 1:
        raise click.ClickException(f"{' and '.join(ways)} exclude each other")
    if payload is not None and event is None:
        raise click.ClickException("--payload is that of an event, and needs --event")
    if effect is None and (result or not_done):
        raise click.ClickException("--result and --not-done say what became of an effect, and need --effect KEY")
    if effect is not None and bool(result) is not_done:
        raise click.ClickException("--effect needs either --result JSON, if it was done, or --not-done")
    settlement = {"result": result[0]} if result else {"not_done": True} if not_done else {}
    return {"event": event, "payload": payload, "effect": effect, "expect_version": expect_version, **settlement}


async def cancel(session: Session, agent_id: str, expect_version: int | None) -> Agent:
    agent_id = await session.whole_id(agent_id)
    call = session.runner.cancel(agent_id, by=session.settings.by, expect_version=expect_version)
    return await session.follow(call)


async def unpark(session: Session, agent_id: str, way: Mapping[str, Any]) -> Agent:
    """Let a parked agent go on; ``way`` comes from ``way_out``."""
    agent_id = await session.whole_id(agent_id)
    return await session.follow(session.runner.unpark(agent_id, **way, by=session.settings.by))


async def resume(session: Session, agent_id: str) -> Agent:
    """Drive an agent on. If its holder is on another host or in another container, nothing but its lease is known, so
    the end of the lease is waited for."""
    agent_id = await session.whole_id(agent_id)
    try:
        return await session.follow(session.runner.resume(agent_id))
    except LeaseHeld as held:
        holder_lives = is_alive(held.lease.holder)
        if holder_lives:
            raise
        if holder_lives is None:
            await _outwait(session, agent_id, held.lease)
    return await session.follow(session.runner.resume(agent_id))


async def _outwait(session: Session, agent_id: str, lease: Lease) -> None:
    """Wait until a lease has expired. If the holder renews it, it is alive, and the next attempt reports it."""
    until = when(moment(lease.until_ms))
    output.say(f"agent {agent_id!r} was last driven by {lease.holder}: waiting until its lease ends, {until}")
    left_ms = lease.until_ms - await session.runner.store.now()
    await event_loop.reach()
    import asyncio

    await asyncio.sleep(max(0, left_ms + _MARGIN_MS) / 1000)
