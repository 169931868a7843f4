"""Failures in the words of the command line: of an agent, in a list, in a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from fsm_agent.cli.blocks import Block, Facts, Ink, Tone, visible
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Problem, Retrying, why_parked
from fsm_agent.domain.state import Retry
from fsm_agent.domain.step import Step, moment
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.summary import AgentSummary
from fsm_agent.domain.workflow import Workflow
from fsm_agent.report.times import span

#: limit of a message's characters in a list
_LONGEST: Final = 60


def error_block(error: Mapping[str, Json]) -> Facts:
    """Why and where an agent failed or was parked."""
    return Facts("error", list(_error_rows(error["type"], error["message"], error.get("place", ""))))


def retry_blocks(agent: Agent, workflow: Workflow) -> Iterator[Block]:
    """When an action that has failed is tried again, and why the last attempt failed; or which action is missing."""
    if agent.retry is not None:
        problem = agent.retry.problem
        if problem is not None and agent.retry.is_left_to_others:
            yield Facts("left to other workers", list(_error_rows(*_facts(problem))))
            return
        rows = [("attempt", Ink(_next_try(agent.retry, workflow.by_path[agent.state].retry), Tone.BUSY))]
        yield Facts("retry", rows + list(_error_rows(*_facts(problem)) if problem else []))


def _facts(problem: Problem) -> tuple[str, str, str]:
    return problem.type, problem.message, problem.place


def _error_rows(kind: str, message: str, place: str) -> Iterator[tuple[str, Ink]]:
    yield kind, Ink(visible(message), Tone.BAD)
    if place:
        yield "at", Ink(visible(place))


def _next_try(retry: Retrying, declared: Retry | None) -> str:
    of = f" of {declared.attempts}" if declared else ""
    if retry.at_ms is None:
        return f"{retry.attempt}{of}, now"
    left = moment(retry.at_ms) - datetime.now(UTC)
    return f"{retry.attempt}{of}, {f'in {span(left)}' if left.total_seconds() > 0 else 'due'}"


def trouble(agent: AgentSummary | Agent) -> str:
    """A line in a list: why an agent failed, is parked, is left to others, or is tried again, and when."""
    if agent.retry is not None:
        if agent.retry.is_left_to_others:
            return trouble_of(agent.retry.problem)
        return "; ".join(filter(None, [trouble_of(agent.retry.problem), f"attempt {_next_try(agent.retry, None)}"]))
    return trouble_of(Problem(agent.error["type"], agent.error["message"])) if agent.error else ""


def trouble_of(problem: Problem | None) -> str:
    """A problem in one line, shortened for a list."""
    if problem is None:
        return ""
    message = " ".join(problem.message.split())
    cut = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
    return visible(f"{problem.type}: {cut}" if cut else problem.type)


def why_of(step: Step) -> str:
    """The error that is the reason for a step, and where it was."""
    facts = step.payload
    is_error = step.kind is StepKind.EVENT and step.event in ("error", "timeout") and "message" in facts
    why, place = (f"{facts['type']}: {facts['message']}", facts.get("place")) if is_error else (step.reason or "", "")
    if step.kind is StepKind.PARKED:
        place = why_parked(step).place
    return f"{why} ({place})" if place else why
