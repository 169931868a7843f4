"""The task of an action where there is no event loop: it can be told to cancel, as a runner's can be.

``asyncio.current_task`` finds it while the action works. Whatever else is asked of the loop there is refused, since a
test waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NoReturn, cast


class _Loop:
    """In place of an event loop. ``refusal`` is what it has refused with last."""

    refusal: RuntimeError | None = None

    def __getattr__(self, name: str) -> NoReturn:
        self.refusal = RuntimeError("no running event loop")
        raise self.refusal


class _Task:
    """In place of a task: it counts how often it was told to cancel."""

    def __init__(self) -> None:
        self._told = 0

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - as a task has it
        self._told += 1
        return True

    def uncancel(self) -> int:
        self._told = max(0, self._told - 1)
        return self._told

    def cancelling(self) -> int:
        return self._told

    def done(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False


async def in_own_task(work: Awaitable[Any], do: str) -> Any:
    """What the work of an action returns; as with a runner it has failed if it told its own task to cancel."""
    if asyncio._get_running_loop() is not None:  # the test has a loop of its own
        return await work
    loop, task = _Loop(), _Task()
    running, current = cast("asyncio.AbstractEventLoop", loop), cast("asyncio.Task[Any]", task)
    asyncio._set_running_loop(running)
    asyncio._enter_task(running, current)
    try:
        returned = await work
    except (RuntimeError, asyncio.CancelledError) as error:
        is_of_waiting = error is loop.refusal or isinstance(error, asyncio.CancelledError)
        if not (is_of_waiting and task.cancelling()):
            raise
        raise RuntimeError(f"action {do!r} cancelled its own task") from error
    finally:
        asyncio._leave_task(running, current)
        asyncio._set_running_loop(None)
    if task.cancelling():
        raise RuntimeError(f"action {do!r} cancelled its own task")
    return returned
