"""The writer: a workflow becomes a document that declares it, in short forms where there are any."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.dialect.fields import shortened_type
from fsm_agent.domain.conversation import PLAIN_RECALL
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.state import Candidates, Handlers, State, Transition, compact
from fsm_agent.domain.workflow import Workflow


def to_document(workflow: Workflow) -> dict[str, Json]:
    """A document that is read as an equal workflow; its targets are absolute."""
    return compact(
        workflow=workflow.name,
        version=workflow.version,
        description=workflow.description,
        data=workflow.model or _fields(workflow.data),
        events={event: _fields(fields) for event, fields in workflow.events.items()},
        initial=workflow.initial,
        on=_handlers(workflow.on),
        states={state.name: _state(state) for state in workflow.states},
        limits=workflow.limits.to_json(),
        merge=dict(workflow.merge),
        conversation=workflow.conversation.to_json() if workflow.conversation != PLAIN_RECALL else None,
        user=_fields(workflow.user),
        progress=workflow.progress.to_json(),
        workflows={name: to_document(child) for name, child in workflow.workflows.items()},
        migrations=[each.to_json() for each in workflow.migrations],
        must={each.name: each.to_json() for each in workflow.must},
    )


def _state(state: State) -> dict[str, Json]:
    return compact(
        description=state.description,
        do=state.do,
        with_=dict(state.with_),
        timeout=state.timeout.text if state.timeout else None,
        retry=state.retry.to_json() if state.retry else None,
        ask=state.ask.to_json() if state.ask else None,
        after={timer.duration.text: _candidates(timer.transitions) for timer in state.after},
        on=_handlers(state.on),
        initial=state.initial.rpartition(".")[2] if state.initial else None,
        states={child.name: _state(child) for child in state.states},
        final=state.final,
        outcome=state.outcome if state.outcome != "done" else None,
        output=dict(state.output),
    )


def _handlers(on: Handlers) -> dict[str, Json]:
    return {event: None if chosen is None else _candidates(chosen) for event, chosen in on.items()}


def _candidates(chosen: Candidates) -> Json:
    """A transition that only has a target is written as the target; a list of one as its item."""
    written = [each.target if each == Transition(each.target) and each.target else each.to_json() for each in chosen]
    return written[0] if len(written) == 1 else written


def _fields(fields: Mapping[str, Schema]) -> dict[str, Json]:
    return {name: shortened_type(schema) for name, schema in fields.items()}
