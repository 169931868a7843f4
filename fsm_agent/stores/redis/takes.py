"""What a worker takes, and where it goes on to look for that."""

from __future__ import annotations

from typing import Final, NamedTuple

#: how long to pass those who are left to others, for each further script that looked at them; and at the most
_PASSED_MS: Final = 50
_LONGEST_MS: Final = 5_000


class Wanted(NamedTuple):
    """The agents that a worker takes, and those that it leaves to others: see ``Store.take``."""

    workflows: frozenset[str] | None
    without: frozenset[tuple[str, str]]


class Place(NamedTuple):
    """An agent that was left to others, and how it stands among those who are due."""

    agent_id: str
    score: str


FRONT: Final = Place("", "")


class Passed:
    """Up to where a worker leaves to others whoever is due.

    If those are many, a look at each of them at every turn would keep the server busy. So a worker goes on behind them
    for a while, about twenty times as long as that took. Whoever becomes due before them meanwhile is taken after it.
    """

    def __init__(self) -> None:
        self._wanted: Wanted | None = None
        self._place = FRONT
        self._until_ms = 0

    def begin(self, wanted: Wanted, now_ms: int) -> Place:
        """Behind whom to begin to look."""
        return self._place if wanted == self._wanted and now_ms < self._until_ms else FRONT

    def end(self, wanted: Wanted, now_ms: int, *, began: Place, ended: Place, scripts: int) -> None:
        """Note up to where so many scripts have looked."""
        if began == FRONT:
            self._wanted = wanted
            self._until_ms = now_ms + min((scripts - 1) * _PASSED_MS, _LONGEST_MS)
        if wanted == self._wanted:
            self._place = ended
