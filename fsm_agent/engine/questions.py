"""Which question an agent asks: one is rendered by a step, and known by the version of that step. Pure.

A step that enters a state renders its question. One that stays there renders it again if it has changed data: where the
text or the people differ, that is another question, so that nobody approves what they have not read. A question that an
action has asked stays as it was put.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fsm_agent.domain.agent import Head
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Origin
from fsm_agent.domain.step import Step
from fsm_agent.engine.commands import Command, ReadHistory, ReadOrigin

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program


def kept_or_renewed(program: Program, head: Head, values: Mapping[str, Json]) -> Head:
    """The head after a step that stays in its state and has changed data: with the same question, or with another one
    if it says something else now. Raises ``ExpressionFailed``."""
    asked = head.asked
    if asked is None or asked.events:
        return head
    renewed = rendered(program, head, values)
    return head if asked.says_the_same(renewed.asked) else renewed


def rendered(program: Program, head: Head, values: Mapping[str, Json]) -> Head:
    """The head with the question of its state, as its last step renders it."""
    context = EvaluationContext(values, None, head.visits)
    return head._replace(asked=program.asked(program.states[head.state], context, head.version))


def numbered(head: Head) -> Generator[Command, Any, Head]:
    """The head with the id of its question, which earlier versions of the package did not keep."""
    if head.asked is None or head.asked.id:
        return head
    steps: Sequence[Step] = yield ReadHistory(head.id)
    origin: Origin | None = yield ReadOrigin(head.id)
    return with_id(head, [step for step in steps if step.version <= head.version], origin)


def with_id(head: Head, steps: Sequence[Step], origin: Origin | None) -> Head:
    """The head whose question has the id that its history tells: the version of the last step that put a question, or
    of where a shortened history begins."""
    if head.asked is None or head.asked.id:
        return head
    return head._replace(asked=head.asked._replace(id=_told(head, steps, origin)))


def _told(head: Head, steps: Sequence[Step], origin: Origin | None) -> int:
    versions = [step.version for step in steps if step.asks]
    if versions:
        return versions[-1]
    if origin is None:
        return head.version
    before = origin.head
    return before.asked.id if before.asked and before.asked.id else before.version
