"""How a built-in action ends: its result goes into the data, and it names the event that the state declares for it."""

from __future__ import annotations

from fsm_agent.actions.action import Emission
from fsm_agent.actions.context import Context, insight_of
from fsm_agent.errors import ActionError
from fsm_agent.jsontypes import Json


def ended(ctx: Context, emit: str | None) -> Emission:
    """The event that says that the work is done: ``emit``, or the only declared one that the state itself takes."""
    if emit is not None:
        return Emission(emit)
    insight = insight_of(ctx)
    mine = [event for event in insight.state.on if event in insight.workflow.events]
    if len(mine) != 1:
        raise ActionError(f"state {ctx.state!r} takes {len(mine)} events of its own: say which with `emit`")
    return Emission(mine[0])


def put(ctx: Context, into: str | list[str] | None, value: Json) -> None:
    """The result, where it belongs; raises ``DataInvalid`` only when the step is made."""
    if isinstance(into, str):
        ctx.data[into] = value
    elif into is not None:
        for field in into:
            ctx.data[field] = value[field]
