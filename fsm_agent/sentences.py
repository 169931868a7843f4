"""Parts of the sentences in which errors and findings are said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

#: Steps of others that are told one by one.
_MOST_TOLD: Final = 3


def listed(names: Iterable[str]) -> str:
    """``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`` (did you mean `x`?)`` when a known name is near, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def shortened(value: object, longest: int = 80) -> str:
    """``repr`` cut to a length that fits a sentence."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def enumerated(steps: Sequence[object], count: int) -> str:
    """The first of ``count`` steps, and how many more there are."""
    told = [str(step) for step in steps[:_MOST_TOLD]]
    if rest := count - len(told):
        told.append("1 more step was taken" if rest == 1 else f"{rest} more steps were taken")
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
