"""Replay of agents: any version is rebuilt, and the whole history is verified. No action and no model is loaded."""

from __future__ import annotations

from typing import Any

from fsm_agent.data.erased import extent_of
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.agent_view import agent_view
from fsm_agent.domain.replay import Replayed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Load, ReadHistory, ReadOrigin, ReadProgram
from fsm_agent.engine.pinned import require_version
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.history import Past, read_past
from fsm_agent.engine.replay.verify import verify
from fsm_agent.errors import DefinitionDamaged, HistoryBroken
from fsm_agent.runtime.agent_reads import read_workflow
from fsm_agent.stores.base import Store


async def agent_at(store: Store, agent_id: str, version: int) -> tuple[Agent, Workflow]:
    """An agent as it was at a version, and the definition that it was pinned to then; raises ``VersionMissing``."""
    past = await load_past(store, agent_id)
    aggregate = past.at(version)
    return _view(past, aggregate), aggregate.program.workflow


async def replay(store: Store, agent_id: str, to: int | None = None) -> Replayed:
    """Verify an agent's history and rebuild the agent at a version, the last by default; raises ``VersionMissing``."""
    past = await load_past(store, agent_id)
    try:
        agent = _view(past, past.at(past.last if to is None else to))
    except HistoryBroken:  # the mismatches include it, with more detail
        agent = None
    verification = verify(past)
    return Replayed(
        agent_id,
        past.first,
        past.last,
        verification.mismatches,
        agent,
        counts=not verification.is_guessed,
        is_erased=extent_of(past.steps) is not None,
    )


def _view(past: Past, aggregate: Aggregate) -> Agent:
    """The agent of a replay. No step changes whom it serves, whose child it is and how it is labelled, so no history
    has that: it is as it is now."""
    now, claimed = past.record.head, aggregate.program.claimed(aggregate.head)
    head = aggregate.head._replace(user=now.user, parent=now.parent, labels=now.labels)
    return agent_view(aggregate.program.workflow, head, aggregate.folded.values, claimed=claimed)


async def load_past(store: Store, agent_id: str, *, programs: dict[str, Program] | None = None) -> Past:
    """Load the kept part of an agent's history; raises ``AgentNotFound``. ``programs`` has, by hash, those that need
    not be read again, and gets the others."""
    programs = {} if programs is None else programs
    flow, reply = read_past(agent_id), None
    try:
        while True:
            reply = await _read(store, flow.send(reply), programs)
    except StopIteration as stop:
        past: Past = stop.value
        require_version(past.record.head)
        return past


async def _read(store: Store, command: Any, programs: dict[str, Program]) -> Any:
    match command:
        case Load(agent_id):
            return await store.load(agent_id)
        case ReadHistory(agent_id):
            return await store.history(agent_id)
        case ReadOrigin(agent_id):
            return await store.origin(agent_id)
        case ReadProgram(definition):
            if definition not in programs:
                programs[definition] = await _program(store, definition)
            return programs[definition]
        case _:
            raise TypeError(f"{command!r} is no look at the past")


async def _program(store: Store, definition: str) -> Program:
    workflow = await read_workflow(store, definition)
    try:
        return Program(workflow)
    except Exception as error:  # a damaged definition may cause any error
        raise DefinitionDamaged(definition, "the definitions", "no agent can run by what it says") from error
