"""What the page of an agent is about: the agent as it is, or as it was at a version; what cannot be read is told."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from fsm_agent.domain.agent import Agent, Head
from fsm_agent.domain.agent_view import agent_view
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentNotFound, FsmAgentError, KeyMissing, StoreUnavailable, VersionMissing
from fsm_agent.runtime.agent_reads import agent_of
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.problems import HttpProblem, problem_of

Value = TypeVar("Value")


@dataclass(frozen=True)
class Facts:
    """An agent at a version."""

    #: as it is now
    now: Head
    #: as it is shown
    head: Head
    agent: Agent
    workflow: Workflow

    @property
    def is_past(self) -> bool:
        return self.head.version != self.now.version

    @property
    def at(self) -> int | None:
        """The version that is shown, if that is not the present one."""
        return self.head.version if self.is_past else None


class Unread(NamedTuple):
    """An agent of which not everything can be read, and a sentence that says why."""

    now: Head
    why: str


def said(error: FsmAgentError) -> str:
    """An error as a page says it."""
    if isinstance(error, KeyMissing):
        return "It is sealed, and this server has not the key that opens it. Ask who runs the server."
    return problem_of(error, is_conditional=True).detail


async def readable(read: Awaitable[Value]) -> Value | str:
    """What is read, or the sentence that says why it cannot be. Raises ``StoreUnavailable``: then all of it waits."""
    try:
        return await read
    except StoreUnavailable:
        raise
    except FsmAgentError as error:
        return said(error)


def version_in(visit: Visit, name: str = "at") -> int | None:
    """The version that the address names, or ``None``. Raises ``HttpProblem`` 404 for what is none."""
    text = visit.query.get(name, "").strip()
    return version_of(text, f"{name}=") if text else None


def version_of(text: str, before: str = "") -> int:
    """The version that a text names. Raises ``HttpProblem`` 404 for what is none; ``before`` stands before its name."""
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text[:19]) < 2**53:
        why = f"{before}{text[:40]!r} is no version: those are whole numbers from 1"
        raise HttpProblem(404, "version-missing", why)
    return int(text)


def agent_id_of(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


async def facts_of(visit: Visit, at: int | None = None) -> Facts:
    """The agent that the path names. Raises what reading it does, ``AgentNotFound`` and ``VersionMissing`` included."""
    runner, store = visit.service.runner, visit.service.runner.store
    record = await store.load(agent_id_of(visit))
    now = record.head
    if at is not None and at != now.version:
        then = await visit.service.histories.at(now, at)
        claimed = then.program.claimed(then.head)
        agent = agent_view(then.program.workflow, then.head, then.folded.values, claimed=claimed)
        return Facts(now, then.head, agent, then.program.workflow)
    workflow = await runner.workflow(now.definition)
    require_fit(workflow, now)
    agent = await agent_of(store, record, workflow, signature=runner.actions.signature)
    return Facts(now, now, agent, workflow)


async def shown(visit: Visit, at: int | None = None) -> Facts | Unread:
    """Like ``facts_of``; if the agent cannot be read whole, what its head tells."""
    try:
        return await facts_of(visit, at)
    except (AgentNotFound, StoreUnavailable, VersionMissing):
        raise
    except FsmAgentError as error:
        return Unread(await visit.service.runner.store.head(agent_id_of(visit)), said(error))


def link(visit: Visit, facts: Facts, *path: str, **query: Any) -> str:
    """The address of a page about this agent."""
    return visit.link("agents", facts.now.id, *path, **query)
