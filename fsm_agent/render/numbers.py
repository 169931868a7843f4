"""The numbers at which pictures and lists refer to each other."""

from __future__ import annotations

from typing import Final

_LAST: Final = 20


def circled(number: int | None) -> str:
    """``①`` to ``⑳``, and then ``(21)``; nothing for no number."""
    if number is None:
        return ""
    return chr(ord("\N{CIRCLED DIGIT ONE}") + number - 1) if number <= _LAST else f"({number})"
