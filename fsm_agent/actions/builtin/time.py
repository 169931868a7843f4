"""``wait``: time passes, and no process need stay with the agent meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from fsm_agent.actions.action import Emission, Pause
from fsm_agent.actions.builtin.ending import ended
from fsm_agent.actions.builtin.recalled import recalled
from fsm_agent.actions.context import Context, insight_of
from fsm_agent.errors import ActionError
from fsm_agent.jsontypes import Json
from fsm_agent.state import Duration
from fsm_agent.wording import shortened


async def wait(ctx: Context, *, until: Json = None, emit: str | None = None, **spans: str) -> Emission | Pause:
    """``for`` (a keyword of Python, so it comes among ``spans``) is a duration since the state was entered, ``until``
    CEL for a moment. Whichever process is there when it has come goes on."""
    due_ms = ctx.now_ms + Duration.parse(spans["for"]).ms if "for" in spans else await _moment(ctx, until)
    due_ms = await ctx.effect("until", partial(_kept, due_ms))
    return ended(ctx, emit) if ctx.now_ms >= due_ms else Pause(due_ms)


def _kept(due_ms: int) -> Json:
    """Recorded with the first attempt, so that no later one begins to wait anew."""
    return due_ms


async def _moment(ctx: Context, until: Json) -> int:
    insight = insight_of(ctx)
    value = insight.value(until, await recalled(ctx, insight.mentions(until)))
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            moment = None
        if moment is not None:
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ActionError(
        f"`until: {until}` gives {shortened(value)}, and must give a date, a datetime, or milliseconds since 1970"
    )
