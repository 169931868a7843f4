"""The only clock of a store: milliseconds that never go back, of this machine or of a server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

#: after how long the server is asked again
_REFRESH_MS: Final = 5_000


class SteadyClock:
    """Wall time, or what ``read`` says, but never less than it was or than any time that was seen stored."""

    def __init__(self, read: Callable[[], int] | None = None) -> None:
        self._read = read
        self._newest_ms = 0

    def now(self) -> int:
        now_ms = time.time_ns() // 1_000_000 if self._read is None else self._read()
        if now_ms <= self._newest_ms:
            return self._newest_ms
        self._newest_ms = now_ms
        return now_ms

    def seen(self, stored_ms: int) -> int:
        """Note a time that another process may have written; returns the newest that is known."""
        if stored_ms <= self._newest_ms:
            return self._newest_ms
        self._newest_ms = stored_ms
        return stored_ms


class ServerClock:
    """The server's clock, asked now and then: workers on different hosts agree on it, and few calls ask for it.

    It is never ahead of the server: its time counts from when the answer arrived, later than when it was read.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._told_ms = 0
        self._arrived_ns: int | None = None

    def read(self) -> int:
        """The time, as far as is known without asking."""
        return self._told_ms + self._age_ms

    async def keep_fresh(self) -> None:
        """Ask the server if that is long ago."""
        if self._arrived_ns is None or self._age_ms > _REFRESH_MS:
            self._told_ms, self._arrived_ns = await self._ask(), time.monotonic_ns()

    @property
    def _age_ms(self) -> int:
        return (time.monotonic_ns() - (self._arrived_ns or 0)) // 1_000_000
