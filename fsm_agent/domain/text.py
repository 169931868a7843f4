"""Pieces of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(names: Iterable[str]) -> str:
    """``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"


def some(names: Sequence[str], most: int = 5) -> str:
    """``a, b and 9 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean `x`?)`` when a known name is near, else nothing."""
    from fsm_agent.domain.similarity import nearest

    close = nearest(name, known)
    return f" (did you mean `{close}`?)" if close else ""


def standing(status: str) -> str:
    """How an agent of this status stands, as it follows "it": ``is waiting``, ``has failed``."""
    return "has failed" if status == "failed" else f"is {status}"


def shortened(value: object, longest: int = 80) -> str:
    """A value in a sentence, cut to a length that fits: a text in quotes, and what else is JSON as JSON writes it."""
    text = _written(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def byte_count(count: int) -> str:
    """``999 B``, ``1.0 kB``, ``60.2 MB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _written(value: object) -> str:
    match value:
        case None:
            return "null"
        case True | False:
            return str(value).lower()
        case list() | dict():
            import json

            try:
                return json.dumps(value, ensure_ascii=False, default=repr)
            except (TypeError, ValueError, RecursionError):  # an odd key, a circle: of Python, and no JSON
                return repr(value)
        case _:
            return repr(value)
