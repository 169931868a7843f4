"""The numbers at which pictures and lists refer to each other."""

from __future__ import annotations

from typing import Final

#: numbers in circles, as far as there are signs for them: 1 to 20, to 35, to 50
_CIRCLES: Final = "".join(map(chr, (*range(0x2460, 0x2474), *range(0x3251, 0x3260), *range(0x32B1, 0x32C0))))


def circled(number: int | None) -> str:
    """A number from 1 on as one sign, ``①``; beyond 50 in brackets; nothing for no number."""
    if number is None:
        return ""
    return _CIRCLES[number - 1] if number <= len(_CIRCLES) else f"({number})"
