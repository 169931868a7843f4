"""Calling an action where it belongs: on the loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fsm_agent.actions.action import Action, Mode
from fsm_agent.actions.context import Context
from fsm_agent.jsontypes import Json


def call(action: Action, context: Context, arguments: Mapping[str, Json]) -> Awaitable[Any]:
    """To be awaited: what the action returns; raises what it raises. Cancelling stops a coroutine, and lets a
    thread go on whose result nobody will see."""
    match action.mode:
        case Mode.ASYNC:
            begun: Awaitable[Any] = action.function(context, **arguments)
            return begun
        case Mode.INLINE:
            return _inline(action, context, arguments)
        case Mode.THREAD:
            return _in_thread(lambda: action.function(context, **arguments), action.name)


async def _inline(action: Action, context: Context, arguments: Mapping[str, Json]) -> Any:
    return await _awaited(action.function(context, **arguments))


async def _awaited(returned: Any) -> Any:
    """A plain function may wrap a coroutine function, and then what it returns is still to be done."""
    return await returned if inspect.isawaitable(returned) else returned


async def _in_thread(work: Callable[[], Any], name: str) -> Any:
    """Like ``asyncio.to_thread``, but a thread that hangs keeps neither a pool nor the process from going on."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    variables = contextvars.copy_context()

    def deliver(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not future.done():
            set_outcome(outcome)

    def run() -> None:
        try:
            outcome, set_outcome = variables.run(work), future.set_result
        except StopIteration as error:  # no future can carry it
            outcome, set_outcome = RuntimeError(f"action {name!r} raised {error!r}"), future.set_exception
        except BaseException as error:
            outcome, set_outcome = error, future.set_exception
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(deliver, set_outcome, outcome)

    threading.Thread(target=run, name=f"action {name}", daemon=True).start()
    return await _awaited(await future)
