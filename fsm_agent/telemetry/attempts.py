"""One span and one duration for each attempt of an action.

What is recorded comes from the definition (workflow, state, action) or from the engine (versions, how it ended), or is
the name of a class. What agents and people say is never recorded: data, payloads, prompts, messages of exceptions.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Mapping
from time import perf_counter
from typing import Final, NamedTuple

from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from fsm_agent.domain.agent import Head
from fsm_agent.domain.problem import MISSING_ACTION
from fsm_agent.engine.commands import (
    Act,
    Acted,
    Asks,
    Doubtful,
    Emitted,
    Failed,
    Missing,
    Overdue,
    Paused,
    Superseded,
)
from fsm_agent.runtime.executor import Executor
from fsm_agent.telemetry.instruments import Instruments


class Outcome(NamedTuple):
    """How an attempt ended: in a word, and with which error, if it is one."""

    name: str
    #: name of a class; empty if nothing went wrong
    error_type: str = ""


#: a reply of an executor -> how the attempt ended
OUTCOMES: Final[Mapping[type[Acted], str]] = {
    Emitted: "emitted",
    Asks: "asked",
    Paused: "paused",
    Failed: "failed",
    Missing: "missing",
    Doubtful: "in_doubt",
    Overdue: "overdue",
}


def outcome_of(acted: Acted) -> Outcome:
    """The outcome that a reply of an executor means."""
    name = OUTCOMES[type(acted)]
    match acted:
        case Failed(is_timeout=True):
            return Outcome("timed_out", acted.types[0])
        case Failed():
            return Outcome(name, acted.types[0])
        case Missing():
            return Outcome(name, MISSING_ACTION)
        case Doubtful():
            return Outcome(name, acted.problem.type)
        case _:
            return Outcome(name)


def outcome_of_exception(error: BaseException) -> Outcome:
    """The outcome of an attempt that has no reply: the agent was taken over, this process stops, or a store failed."""
    match error:
        case Superseded():
            return Outcome("superseded")
        case CancelledError() | GeneratorExit() | KeyboardInterrupt():
            return Outcome("cancelled")
        case _:
            return Outcome("failed", type(error).__name__)


class TracedExecutor:
    """An executor whose attempts are spans. What an action does, its thread included, happens within the span."""

    def __init__(self, inner: Executor, tracer: Tracer, instruments: Instruments) -> None:
        self._inner = inner
        self._tracer = tracer
        self._instruments = instruments

    async def act(self, command: Act) -> Acted:
        head = command.head
        began_s = perf_counter()
        with self._tracer.start_as_current_span(
            f"{head.workflow} {head.state}",
            kind=SpanKind.INTERNAL,
            attributes=_attributes(command),
            record_exception=False,  # its message may quote data
            set_status_on_exception=False,
        ) as span:
            try:
                acted = await self._inner.act(command)
                outcome = outcome_of(acted)
            except BaseException as error:
                outcome = outcome_of_exception(error)
                raise
            finally:
                self._instruments.attempted(head, command.do, outcome.name, perf_counter() - began_s)
                span.set_attribute("fsm_agent.outcome", outcome.name)
                if outcome.error_type:
                    span.set_attribute("error.type", outcome.error_type)
                    span.set_status(StatusCode.ERROR)
        return acted

    def sleep(self, head: Head, until_ms: int) -> Awaitable[int]:
        return self._inner.sleep(head, until_ms)

    def interrupt(self, agent_id: str, epoch: int) -> None:
        self._inner.interrupt(agent_id, epoch)

    def drain(self) -> None:
        self._inner.drain()

    async def settled(self, agent_id: str) -> None:
        await self._inner.settled(agent_id)

    async def close(self) -> None:
        await self._inner.close()


def _attributes(command: Act) -> dict[str, AttributeValue]:
    """What is known of an attempt before it begins. Names of the GenAI conventions are written as they are, since the
    package that has them changes with each release. Those conventions call a workflow an agent since their version 0.1;
    both names are given. The provider is this library; spans of requests to models name that of the model."""
    head = command.head
    return {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.provider.name": "fsm_agent",
        "gen_ai.workflow.name": head.workflow,
        "gen_ai.agent.name": head.workflow,
        "gen_ai.conversation.id": head.id,
        "fsm_agent.workflow.version": head.workflow_version,
        "fsm_agent.state": head.state,
        "fsm_agent.action": command.do,
        "fsm_agent.version": head.version,
        "fsm_agent.activation": head.activation,
        "fsm_agent.attempt": command.attempt,
    }
