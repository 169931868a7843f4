"""Times and durations in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def when(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def from_now(time: datetime) -> str:
    left = time - datetime.now(UTC)
    return f"in {span(left)}" if left > timedelta() else f"{span(-left)} ago"


def lasting(ms: int) -> str:
    return f"{ms} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s" if ms < 60_000 else span(timedelta(milliseconds=ms))


def span(time: timedelta) -> str:
    """The two largest units of a duration: ``2 d 23 h``."""
    seconds = max(0, round(time.total_seconds()))
    parts: list[str] = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
