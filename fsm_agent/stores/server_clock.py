"""The server's clock, read now and then: workers on different hosts agree on it, and few calls ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic_ns
from typing import Final

_REFRESH_MS: Final = 5_000


class ServerClock:
    """Never ahead of the server: its time counts from when the answer arrived, later than when it was read."""

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
            self._told_ms, self._arrived_ns = await self._ask(), monotonic_ns()

    @property
    def _age_ms(self) -> int:
        return (monotonic_ns() - (self._arrived_ns or 0)) // 1_000_000
