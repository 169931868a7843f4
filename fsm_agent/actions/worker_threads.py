"""A thread for one piece of work, and how the thread reaches the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from fsm_agent.errors import ActionError

#: runs a coroutine on the event loop, waits, and returns its result
Wait: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]


async def in_thread(work: Callable[[], Any], name: str) -> Any:
    """Like ``asyncio.to_thread``, but a thread that hangs blocks neither a pool nor the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    variables = contextvars.copy_context()

    def deliver(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not future.done():
            set_outcome(outcome)

    def run() -> None:
        try:
            outcome, set_outcome = variables.run(work), future.set_result
        except (StopIteration, GeneratorExit) as error:  # a future cannot hold these
            outcome, set_outcome = RuntimeError(f"{name} raised {error!r}"), future.set_exception
            outcome.__cause__ = error
        except BaseException as error:
            outcome, set_outcome = error, future.set_exception
        with suppress(RuntimeError):  # the loop may be closed already
            loop.call_soon_threadsafe(deliver, set_outcome, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await awaited(await future)


async def awaited(returned: Any) -> Any:
    """Await a result that a plain function has returned, since the function may wrap a coroutine function."""
    return await returned if inspect.isawaitable(returned) else returned


async def _stayed(work: Coroutine[Any, Any, Any]) -> Any:
    """Turn exceptions that must not leave a task: they would stop the event loop for everybody."""
    try:
        return await work
    except SystemExit as error:
        raise RuntimeError(f"the process was told to exit with {error.code!r}") from error


def waiting_on(loop: asyncio.AbstractEventLoop) -> Wait:
    """A ``Wait`` for threads beside ``loop``. A cancellation of the coroutine becomes a ``CancelledError`` of the
    thread."""
    at_home = threading.get_ident()

    def wait(work: Coroutine[Any, Any, Any]) -> Any:
        if threading.get_ident() == at_home:
            work.close()
            raise ActionError("a blocking `effect` would wait for itself here; make the action an `async def`")
        try:
            future = asyncio.run_coroutine_threadsafe(_stayed(work), loop)
        except RuntimeError:  # the loop is closed: the process ends, and so does this thread
            work.close()
            raise asyncio.CancelledError from None
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise asyncio.CancelledError from None

    return wait
