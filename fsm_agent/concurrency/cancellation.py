"""Tells who cancelled a task: the work that it does, or somebody else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any


class Watched:
    """Goes on with ``work`` when it is awaited, and counts how often that told its own task to cancel.

    Its first step is done: ``first`` is what it waits for since, or how it has ended; ``told`` is how often the task
    had been told to cancel before. While the work runs, only the work can tell it so, or Ctrl-C; whoever else does so,
    does it while the work waits for something.
    """

    __slots__ = ("_first", "_task", "_work", "own")

    def __init__(self, work: Coroutine[Any, Any, Any], first: Any, task: asyncio.Task[Any], told: int) -> None:
        self._work = work
        self._first = first
        self._task = task
        #: how often it told its task to cancel and has not taken that back
        self.own = max(0, _own(task, told))

    def __await__(self) -> Generator[Any, Any, Any]:
        work, task, waits_for = self._work, self._task, self._first
        if isinstance(waits_for, StopIteration):
            return waits_for.value
        if isinstance(waits_for, BaseException):
            raise waits_for
        while True:
            try:
                said, go_on = (yield waits_for), work.send
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                said, go_on = error, work.throw
            told = task.cancelling()
            try:
                waits_for = go_on(said)
            except StopIteration as stop:
                return stop.value
            finally:
                self.own = max(0, self.own + _own(task, told))

    async def take_back(self) -> None:
        """Undo what the work told its task, of which nobody else may hear."""
        for _ in range(self.own):
            self._task.uncancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # what is told to a task while it runs strikes where it next waits
        self.own = 0


def _own(task: asyncio.Task[Any], told: int) -> int:
    """How often the task was told to cancel while the work ran, which is negative where the work took that back."""
    more = task.cancelling() - told
    return 0 if more > 0 and _is_interrupted() else more


def _is_interrupted() -> bool:
    """Whether Ctrl-C was pressed since the loop began: ``asyncio.Runner`` tells its main task to cancel then."""
    handler = signal.getsignal(signal.SIGINT)
    runner = getattr(getattr(handler, "func", None), "__self__", None)
    return getattr(runner, "_interrupt_count", 0) > 0


def is_told_to_stop(error: BaseException) -> bool:
    """Whether it is the process, or whoever awaits this task, that wants it to end."""
    match error:
        case KeyboardInterrupt() | GeneratorExit():
            return True
        case asyncio.CancelledError():
            task = asyncio.current_task()
            return task is not None and task.cancelling() > 0
        case _:
            return False
