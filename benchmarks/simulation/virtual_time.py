"""An event loop whose clock jumps to the next timer as soon as nothing can go on without it."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """All tasks wait for each other: no timer runs that could wake one of them."""


class _Jump(selectors.SelectSelector):
    """Waits for no file: it lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Its time begins at 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]], *, seed: int) -> T:
    """What ``work`` returns on such a loop; what it takes from ``random`` is decided by the seed."""
    state = random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(work())
    finally:
        random.setstate(state)
