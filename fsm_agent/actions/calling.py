"""Calling an action where it belongs: on the loop, or in a thread of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from fsm_agent.actions.action import Action, Mode
from fsm_agent.actions.context import Situation
from fsm_agent.actions.threads import awaited, in_thread
from fsm_agent.jsontypes import Json


def call(action: Action, context: Situation, arguments: Mapping[str, Json]) -> Awaitable[Any]:
    """To be awaited: what the action returns; raises what it raises. Cancelling stops a coroutine, and lets a
    thread go on whose result nobody will see."""
    match action.mode:
        case Mode.ASYNC:
            begun: Awaitable[Any] = action.function(context, **arguments)
            return begun
        case Mode.INLINE:
            return _inline(action, context, arguments)
        case Mode.THREAD:
            return in_thread(lambda: action.function(context, **arguments), f"action {action.name!r}")


async def _inline(action: Action, context: Situation, arguments: Mapping[str, Json]) -> Any:
    return await awaited(action.function(context, **arguments))
