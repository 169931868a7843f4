"""Which known name was most likely meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: names that are compared letter by letter
_COMPARED: Final = 5


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most alike, if one is near: the same but for capitals and dashes, one that begins the
    other, or one of whose letters at most a third differ. What both have before a dot or a colon does not count."""
    from difflib import get_close_matches

    wanted, names = _folded(name), {_folded(each): each for each in known}
    close = get_close_matches(wanted, names, n=_COMPARED)
    return next((names[each] for each in close if _is_near(*_differing(wanted, each))), None)


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")


def _differing(one: str, other: str) -> tuple[str, str]:
    """Both without the parts, each with its dot or colon, that they begin with alike."""
    common = next((at for at, (this, that) in enumerate(zip(one, other, strict=False)) if this != that), 0)
    start = max(one.rfind(".", 0, common), one.rfind(":", 0, common)) + 1
    return one[start:], other[start:]


def _is_near(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    begins = len(shorter) > 1 and longer.startswith(shorter)
    return begins or _distance(one, other) <= len(longer) // 3


def _distance(one: str, other: str) -> int:
    """How many letters must be put in, left out, replaced, or exchanged with the next, to make one of the other."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        this = [row]
        for column, facing in enumerate(other, 1):
            least = min(last[column] + 1, this[-1] + 1, last[column - 1] + (letter != facing))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == facing:
                least = min(least, before[column - 2] + 1)
            this.append(least)
        before, last = last, this
    return last[-1]
