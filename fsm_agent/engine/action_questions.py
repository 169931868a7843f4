"""Questions that an action asks: the agent waits for the answer in the state that asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.data.data import Data, View, changes
from fsm_agent.data.delta import step_weight
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.question import Asked
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Asks
from fsm_agent.engine.limits import check_limits
from fsm_agent.engine.steps import admit, require_room, with_progress
from fsm_agent.errors import IllegalEvent


def asked(aggregate: Aggregate, reply: Asks, data: Data) -> PendingStep:
    """The step with which an action asks. Its work is done; timers of the state go on. Raises ``IllegalEvent`` for
    answers that the state does not take, ``DataInvalid``, ``LimitExceeded``."""
    program, head = aggregate.program, aggregate.head
    sendable = program.workflow.allowed(head.state)
    for event in reply.events:
        if event not in program.workflow.events or event not in sendable:
            why = " as an answer to what its action asks"
            raise IllegalEvent(event, head.state, sendable, why=why, is_declared=event in program.workflow.events)
    delta, view = changes(data), View(data)
    weight = step_weight(delta)
    admit(aggregate, delta, weight, view)
    step = Step(
        version=head.version + 1,
        kind=StepKind.ASKED,
        event="ask",
        payload={"prompt": reply.prompt, "events": list(reply.events), "to": list(reply.to)},
        source=head.state,
        target=head.state,
        at_ms=aggregate.now_ms,
        delta=delta,
        duration_ms=reply.duration_ms,
    )
    moved = waits(head, step)._replace(unfolded=head.unfolded + weight)
    require_room(program, moved)
    check_limits(aggregate, moved)
    return PendingStep(with_progress(program, moved, view), step)


def waits(head: Head, step: Step) -> Head:
    """The head after a step that asks."""
    facts: Mapping[str, Json] = step.payload
    return head._replace(
        version=step.version,
        updated_ms=step.at_ms,
        status=Status.WAITING,
        activation=0,
        attempts=0,
        retry_ms=None,
        problem=None,
        asked=Asked(facts["prompt"], tuple(facts["to"]), tuple(facts["events"]), step.version),
        is_exempt=False,
    )
