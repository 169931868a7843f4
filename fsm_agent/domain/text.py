"""Pieces of sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def listed(names: Iterable[str]) -> str:
    """``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"


def some(names: Sequence[str], most: int = 5) -> str:
    """``a, b and 9 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def did_you_mean(name: str, known: Collection[str], *, alike: float = 0.6) -> str:
    """`` (did you mean `x`?)`` when a known name is near, else nothing; ``alike`` is from 0 to 1."""
    close = nearest(name, known, alike=alike)
    return f" (did you mean `{close}`?)" if close else ""


def nearest(name: str, known: Collection[str], *, alike: float = 0.6) -> str | None:
    """The known name that looks most alike, if any does."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1, cutoff=alike)
    return close[0] if close else None


def shortened(value: object, longest: int = 80) -> str:
    """``repr`` cut to a length that fits a sentence."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def byte_count(count: int) -> str:
    """``999 B``, ``1.0 kB``, ``60.2 MB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
