"""When a worker looks for due agents again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

#: by how much the time between two looks differs, so that workers do not all look at once
_JITTER: Final = 0.1
#: how long a worker waits at most after a ring, for the same reason
_RING_JITTER_S: Final = 0.01
#: the part of the places that may be taken while others are due: many are taken at once, not one by one
_NEARLY_FULL: Final = 0.9
#: how long a ring waits for more places than one, for the same reason
_BATCH_S: Final = 0.05


class SweepTimer:
    """Waits until the next look: until a ring, or ``every`` so often. A worker that has taken as many as it has places
    for (``is_full``) looks earlier, as soon as many places are free; ``at_work`` tells how many are taken."""

    def __init__(self, every: timedelta, at_once: int, at_work: Callable[[], int]) -> None:
        self.every_s = every.total_seconds()
        self.is_full = False
        self._at_once = at_once
        self._at_work = at_work
        self._is_rung = False
        self._is_stopped = False
        self._woken = asyncio.Event()

    def begin(self) -> None:
        """A look begins: what rings from now on is news."""
        self._is_rung = False
        self._woken.clear()

    def ring(self) -> None:
        """Somebody has left an agent to workers."""
        self._is_rung = True
        self._woken.set()

    def free(self) -> None:
        """A place is free again."""
        if self.is_full:
            self._woken.set()

    def stop(self) -> None:
        """Nothing is waited for any more."""
        self._is_stopped = True
        self._woken.set()

    async def wait(self) -> None:
        """Returns when it is time to look again."""
        if self._is_stopped:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.every_s * random.uniform(1 - _JITTER, 1 + _JITTER)):  # noqa: S311
                await (self._wait_for_places() if self.is_full else self._wait_for_ring())

    async def _wait_for_ring(self) -> None:
        await self._woken.wait()
        await asyncio.sleep(random.uniform(0, _RING_JITTER_S))  # noqa: S311 - chance hides nothing here

    async def _wait_for_places(self) -> None:
        """After a ring one place is enough."""
        while self._at_work() > self._at_once * _NEARLY_FULL and not self._is_stopped:
            if self._is_rung and self._at_work() < self._at_once:
                await asyncio.sleep(_BATCH_S)
                return
            self._woken.clear()
            await self._woken.wait()
