"""The clock of a server, so that processes on different hosts agree; asked now and then, counted on in between."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from fsm_agent.stores.clock import SteadyClock

#: How long a reading is counted on before the server is asked again.
FRESH_S: Final = 5.0


class ServerClock:
    """Never early and never back: a reading is as old as its way here took, and counts from when it arrived.

    ``ask`` reads the server's clock, in milliseconds since the epoch. ``read`` stands in for the server where a test
    says what time it is.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]], *, read: Callable[[], int] | None = None) -> None:
        self._ask = ask
        self._is_ours = read is not None
        self._steady = SteadyClock(read or self._counted_ms)
        self._server_ms = 0
        self._arrived_s = -FRESH_S

    async def now(self) -> int:
        if not self._is_ours and time.monotonic() - self._arrived_s >= FRESH_S:
            self.asked(await self._ask())
        return self._steady.now()

    def asked(self, server_ms: int) -> None:
        """Count on from a reading that has just arrived."""
        self._server_ms, self._arrived_s = server_ms, time.monotonic()

    def seen(self, stored_ms: int) -> None:
        """Note a time that another process may have written."""
        self._steady.seen(stored_ms)

    def _counted_ms(self) -> int:
        return self._server_ms + int((time.monotonic() - self._arrived_s) * 1000)
