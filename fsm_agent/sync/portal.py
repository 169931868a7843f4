"""How blocking code calls coroutines: in its own thread as long as they need not wait; from the first one that has to,
a portal thread runs an event loop, and every call waits for its result."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency.sync_driver import Ended, Interrupts, held_interrupts, step
from fsm_agent.errors import RunnerClosed

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Inner_co = TypeVar("Inner_co", covariant=True)


class Portal:
    """Calls coroutines: here, one at a time, until one has to wait; then on an event loop in a thread of its own.

    With ``needs_loop`` that loop runs from the first call on. Ctrl-C in the caller cancels what it waits for.
    """

    def __init__(self, *, needs_loop: bool = True) -> None:
        self._needs_loop = needs_loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self._stepping: threading.Thread | None = None
        self.is_closed = False

    def require_open(self) -> None:
        """Raises ``RunnerClosed`` once it has been closed."""
        if self.is_closed:
            raise RunnerClosed

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine; returns or raises what it does."""
        if self.is_closed:
            work.close()
            raise RunnerClosed
        if threading.current_thread() in (self._thread, self._stepping):
            work.close()
            raise RuntimeError("a blocking call would wait for itself here; actions on the loop use the async Runner")
        with held_interrupts() as interrupts:
            with self._turn:
                ended = self._stepped(work)
            if ended is None:
                future = self._submitted(work)
        if ended is None:
            return _waited_for(future, interrupts)
        interrupts.repeat()
        return ended.result

    def _stepped(self, work: Coroutine[Any, Any, Result]) -> Ended[Result] | None:
        """Run a coroutine here while nobody uses the loop, neither ours nor one of the caller's."""
        if self._needs_loop or self._loop is not None or event_loop.is_running():
            return None
        self._stepping = threading.current_thread()
        try:
            return step(work)
        finally:
            self._stepping = None

    def _submitted(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Let the loop go on with a coroutine where it stands."""
        import asyncio

        with self._turn:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="fsm-agent portal", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Stop the loop and its thread, if there are any; what still runs is cancelled first. Nothing is called after
        that."""
        try:
            self._stop()
        finally:
            self.is_closed = True

    def _stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self.call(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _waited_for(future: Future[Result], interrupts: Interrupts) -> Result:
    try:
        interrupts.repeat()
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise


class Twin(Generic[Inner_co]):
    """What does its work on the loop of a portal."""

    def __init__(self, inner: Inner_co, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal


def blocking_twin(
    method: Callable[Concatenate[Inner_co, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Twin[Inner_co], Arguments], Result]:
    """The blocking twin of a method: same arguments, same result, same documentation."""

    def blocking(self: Twin[Inner_co], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._portal.call(method(self._inner, *args, **kwargs))

    return cast("Callable[Concatenate[Twin[Inner_co], Arguments], Result]", functools.wraps(method)(blocking))


async def _cancel_all() -> None:
    """Cancel every other task and wait for it, so that leases are given up."""
    import asyncio

    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
