"""Time that passes only when a test says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

#: 2026-01-01T00:00:00Z
NEW_YEAR_MS: Final = 1_767_225_600_000


class FakeClock:
    """A clock for ``open_store(..., clock=...)``: ``ms`` is what it shows, and may be set."""

    def __init__(self, ms: int = NEW_YEAR_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms

    def advance(self, **units: float) -> int:
        """Move by ``days``, ``hours``, ``minutes``, ``seconds``, ``milliseconds``; returns the new time."""
        self.ms += timedelta(**units) // timedelta(milliseconds=1)
        return self.ms
