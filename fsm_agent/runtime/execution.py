"""One agent that this process drives now: the task that works for it, and how that is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from fsm_agent.domain.agent import Head


@dataclass(slots=True)
class Execution:
    """See the module."""

    head: Head
    task: asyncio.Task[Any]
    #: how many cancellations the task already had
    cancelling: int
    is_interrupted: bool = False
    #: set at the end, if somebody waits for it
    ended: asyncio.Event | None = None

    def interrupt(self) -> None:
        """Cancel the task, unless it is the caller. An action that moves its own agent cannot be stopped in the middle
        of that, and its result comes too late anyway."""
        if not self.is_interrupted and self.task is not asyncio.current_task():
            self.is_interrupted = True
            self.task.cancel()

    def ending(self) -> asyncio.Event:
        """Set when the execution ends."""
        self.ended = self.ended or asyncio.Event()
        return self.ended

    @property
    def is_running(self) -> bool:
        """Whether the present task runs this execution. When a coroutine is closed, no task runs it."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody else has cancelled the task, even if the cancellation takes effect only now."""
        count = self.task.cancelling()
        return count > self.cancelling + 1 if self.is_interrupted else count > 0
