"""``wait``: time passes, and no process waits with the agent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fsm_agent.actions.action import Emission, Pause
from fsm_agent.actions.builtin.result import ended
from fsm_agent.actions.builtin.templates import recalled
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration
from fsm_agent.domain.text import shortened
from fsm_agent.errors import ActionError, ExpressionFailed

#: the end of the year 9999 is the latest time to wait for
_LATEST_MS: Final = 253_402_300_799_999


async def wait(ctx: Context, *, until: Json = None, emit: str | None = None, **spans: str) -> Emission | Pause:
    """Wait until a moment. ``spans`` holds ``for``, which is a keyword of Python: a duration since the state was
    entered. ``until`` is CEL for a moment. Any process that runs then goes on with the agent."""

    async def moment() -> Json:
        """The moment, or why there is none. The first attempt records it, so that later attempts do not wait longer."""
        try:
            return await _span_end(ctx, spans["for"]) if "for" in spans else await _moment(ctx, until)
        except (ActionError, ExpressionFailed) as error:
            return str(error)

    due_ms = await ctx.effect("until", moment)
    if isinstance(due_ms, str):
        raise ActionError(due_ms)
    return ended(ctx, emit) if ctx.now_ms >= due_ms else Pause(due_ms)


async def _span_end(ctx: Context, span: str) -> int:
    entry = await ctx.entry()
    return min((entry.at_ms if entry else ctx.now_ms) + Duration.parse(span).ms, _LATEST_MS)


async def _moment(ctx: Context, until: Json) -> int:
    scope = scope_of(ctx)
    value = scope.value(until, await recalled(ctx, scope.mentions(until)))
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            moment = None
        if moment is not None:
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, int) and not isinstance(value, bool):
        return min(value, _LATEST_MS)
    raise ActionError(
        f"`until: {until}` gives {shortened(value)}, and must give a date, a datetime, or milliseconds since 1970"
    )
