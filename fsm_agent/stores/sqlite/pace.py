"""How long commits take, and so who makes them."""

from __future__ import annotations

from typing import Final

#: Long enough that the checkpoint of every thousandth page does not look like a slow disk.
_COMMITS_AVERAGED: Final = 64
#: As many quick ones in a row are no accident.
_QUICK_IN_A_ROW: Final = 8


class Pace:
    """Whether COMMIT is cheap enough for the loop to wait for it: while it takes ``cheap_s`` at most on average.

    After that it is cheap again as soon as some in a row were. An average alone would remember one long stall for
    hundreds of commits.
    """

    def __init__(self, cheap_s: float) -> None:
        self._cheap_s = cheap_s
        self._average_s = 0.0
        self._quick_in_a_row = 0

    @property
    def is_cheap(self) -> bool:
        return self._average_s <= self._cheap_s

    def note(self, commit_s: float) -> None:
        self._average_s += (commit_s - self._average_s) / _COMMITS_AVERAGED
        self._quick_in_a_row = self._quick_in_a_row + 1 if commit_s <= self._cheap_s else 0
        if self._average_s > self._cheap_s and self._quick_in_a_row >= _QUICK_IN_A_ROW:
            self._average_s = commit_s
