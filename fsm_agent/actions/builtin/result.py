"""The end of a built-in action: it puts its result into the data, and emits the event that the state declares."""

from __future__ import annotations

from fsm_agent.actions.action import Emission
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.dialect.builtins import emission
from fsm_agent.domain.json import Json
from fsm_agent.errors import ActionError


def ended(ctx: Context, emit: str | None) -> Emission:
    """The event that ends the work: ``emit``, or else the only declared event that the state itself takes."""
    scope = scope_of(ctx)
    event = emit or emission(scope.workflow, scope.state)
    if event is None:
        raise ActionError(f"nothing tells with which event the work of state {ctx.state!r} ends: say it with `emit`")
    return Emission(event)


def put(ctx: Context, into: str | list[str] | None, value: Json) -> None:
    """Put the result into its field. The step checks later whether it is valid there."""
    if isinstance(into, str):
        ctx.data[into] = value
    elif into is not None:
        for field in into:
            ctx.data[field] = value[field]
