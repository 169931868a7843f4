"""A bell: it rings when something has changed, and whoever hears it looks what has."""

from __future__ import annotations

import asyncio


class Bell:
    """A bell to which somebody listens who waits for changes."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def ring(self) -> None:
        self._changed.set()

    async def change(self, timeout_s: float) -> bool:
        """Wait for a ring since the last call; False if there was none in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True
