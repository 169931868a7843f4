"""Pieces of sentences."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean `x`?)`` when a known name is near, else nothing."""
    from fsm_agent.domain.similarity import nearest

    close = nearest(name, known)
    return f" (did you mean `{close}`?)" if close else ""


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
