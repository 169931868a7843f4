"""The same runner for blocking code: one portal thread runs the loop, every call waits for its result."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.agent import Head
from fsm_agent.runner import Runner as AsyncRunner
from fsm_agent.stores.base import Store

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Portal:
    """An event loop in a thread of its own. Ctrl-C in the caller cancels what it waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fsm-agent portal", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop; returns or raises what it does."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a blocking call would wait for itself here; actions on the loop use the async Runner")
        future = self.begin(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def begin(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine on the loop, and do not wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Stop the loop and its thread; what still runs is cancelled first."""
        self.call(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _blocking(
    method: Callable[Concatenate[AsyncRunner, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Runner, Arguments], Result]:
    """The blocking twin of a method: same arguments, same result, same documentation."""

    def blocking(self: Runner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._portal.call(method(self._runner, *args, **kwargs))

    return cast("Callable[Concatenate[Runner, Arguments], Result]", functools.wraps(method)(blocking))


class Runner:
    """``fsm_agent.Runner``, blocking. Use it as ``with``; it closes the store that it was given."""

    def __init__(
        self,
        store: Store,
        *,
        actions: Iterable[Callable[..., Any]] | Actions = (),
        modules: Iterable[str] = (),
        observe: Callable[[Head], None] | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._portal = Portal()
        self._runner = AsyncRunner(store, actions=actions, modules=modules, observe=observe, surroundings=surroundings)

    start = _blocking(AsyncRunner.start)
    send = _blocking(AsyncRunner.send)
    answer = _blocking(AsyncRunner.answer)
    cancel = _blocking(AsyncRunner.cancel)
    resume = _blocking(AsyncRunner.resume)
    unpark = _blocking(AsyncRunner.unpark)
    migrate = _blocking(AsyncRunner.migrate)
    rewind = _blocking(AsyncRunner.rewind)
    fork = _blocking(AsyncRunner.fork)
    get = _blocking(AsyncRunner.get)
    replay = _blocking(AsyncRunner.replay)
    history = _blocking(AsyncRunner.history)
    effects = _blocking(AsyncRunner.effects)
    purge = _blocking(AsyncRunner.purge)
    forget = _blocking(AsyncRunner.forget)

    def close(self) -> None:
        """Stop what runs here, give its leases up, close the store, end the portal thread."""
        try:
            self._portal.call(self._runner.close())
        finally:
            self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _cancel_all() -> None:
    """Cancel every other task and wait for it, so that leases are given up."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
