"""The only clock of a store: milliseconds that never go back."""

from __future__ import annotations

import time
from collections.abc import Callable


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
