"""An agent as a caller sees it: its head and data, with what the definition says about them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from fsm_agent.domain.agent import ENDED, Agent, Delivery, Head, Status
from fsm_agent.domain.json import Json, object_schema
from fsm_agent.domain.problem import Retrying
from fsm_agent.domain.question import Question
from fsm_agent.domain.step import moment

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow


def agent_view(
    workflow: Workflow,
    head: Head,
    data: Mapping[str, Json],
    *,
    claimed: Collection[str] = (),
    delivery: Delivery | None = None,
) -> Agent:
    """The public picture of an agent. ``claimed`` are the events that only its action may name."""
    return Agent(
        id=head.id,
        workflow=head.workflow,
        workflow_version=head.workflow_version,
        state=head.state,
        status=head.status,
        version=head.version,
        data=data,
        question=question_of(workflow, head),
        allowed=_allowed(workflow, head, claimed),
        output=head.output,
        error=error_of(head),
        created_at=moment(head.created_ms),
        updated_at=moment(head.updated_ms),
        delivery=delivery,
        user=head.user,
        progress=head.progress,
        usage=head.usage,
        messages=sum(span.upto - span.after for span in head.talk.spans(head.id)),
        parent=head.parent,
        retry=trying(head),
        definition=head.definition,
        labels=dict(head.labels),  # the caller's own: memory keeps heads as they are
    )


def error_of(head: Head) -> dict[str, Json] | None:
    """Why an agent failed or is parked."""
    return head.problem.to_json() if head.problem and head.status is not Status.RUNNING else None


def trying(head: Head) -> Retrying | None:
    """The next attempt of an action that has failed, if it is tried again, or that no worker has had so far."""
    if head.status is not Status.RUNNING or not (head.attempts or head.problem):
        return None
    return Retrying(head.attempts + 1, head.retry_ms, head.problem)


def question_of(workflow: Workflow, head: Head) -> Question | None:
    """What a waiting agent asks, complete; ``None`` if it asks nothing."""
    ask = workflow.by_path[head.state].ask
    if head.asked is None or head.status is not Status.WAITING:
        return None
    answers = head.asked.events or (ask.events if ask else ())
    deadline_ms = min((timer.due_ms for timer in head.timers), default=None)
    return Question(
        prompt=head.asked.prompt,
        events={event: object_schema(workflow.payload_fields(event)) for event in answers},
        to=head.asked.to,
        deadline=None if deadline_ms is None else moment(deadline_ms),
        id=head.asked.id,
    )


def _allowed(workflow: Workflow, head: Head, claimed: Collection[str]) -> tuple[str, ...]:
    if head.status in ENDED:
        return ()
    if head.status is Status.PARKED:
        return ("cancel",)
    return tuple(event for event in workflow.allowed(head.state) if event not in claimed)
