"""Coroutines called from blocking code: stepped right here while they need not wait, by an event loop from then on.

Nothing is done twice: the loop goes on with the same coroutine at the place where it first had to wait. So one
algorithm serves both, and a process that only delivers an event to an agent never imports asyncio.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, NamedTuple, TypeVar

from fsm_agent.concurrency import event_loop

Result = TypeVar("Result")


class Ended(NamedTuple, Generic[Result]):
    """A coroutine has ended with this result."""

    result: Result


class Interrupts:
    """Whether Ctrl-C was pressed while a coroutine was stepped."""

    was_pressed = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        if self.was_pressed:
            raise KeyboardInterrupt  # somebody means it
        self.was_pressed = True

    def repeat(self) -> None:
        """Let a Ctrl-C that was kept back take effect now."""
        if self.was_pressed:
            signal.raise_signal(signal.SIGINT)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Like ``asyncio.run``, which goes on with ``work`` once it has to wait."""
    with held_interrupts() as interrupts:
        ended = None if event_loop.is_running() else step(work)
    if ended is not None:
        interrupts.repeat()
        return ended.result
    import asyncio

    with asyncio.Runner() as runner:
        runner.get_loop().call_soon(interrupts.repeat)
        return runner.run(work)


def step(work: Coroutine[Any, Any, Result]) -> Ended[Result] | None:
    """Run ``work`` as far as it goes without waiting; ``None`` if it has to wait, and needs a loop to go on."""
    try:
        work.send(None)
    except StopIteration as stop:
        return Ended(stop.value)
    return None


@contextmanager
def held_interrupts() -> Iterator[Interrupts]:
    """Keep Ctrl-C back, as asyncio does between two awaits, so that no transaction is cut in the middle. Other threads
    than the main one never see it, and a handler of somebody else is left in place."""
    interrupts = Interrupts()
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that waits for nothing but its turn, such as one on a memory store, to its end."""
    while (ended := step(work)) is None:
        pass
    return ended.result
