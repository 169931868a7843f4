"""Places at which a writer ends: before, during and after each write of the store, in actions and in effects.

A failpoint reads ``commit:before:17``: at the seventeenth commit, before anything is written. ``during`` sets a timer
within the time that the last such write took, so that the end comes at any instruction, or, in SQLite, by turns waits
for one of its statements.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final, NamedTuple, NoReturn

from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.places import PLACES

_LONGEST_S: Final = 0.01
#: About as many as a commit consists of.
_STATEMENTS: Final = 8


class Failpoint(NamedTuple):
    """``place`` and ``moment`` of ``PLACES``, and how often that is passed before it ends the writer."""

    place: str
    moment: str
    number: int

    def __str__(self) -> str:
        return f"{self.place}:{self.moment}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Failpoint:
        """Raises ``ValueError`` for a place or a moment that there is not."""
        place, moment, number = text.split(":")
        if moment not in PLACES.get(place, ()):
            raise ValueError(f"there is no failpoint {text!r}; places are {', '.join(PLACES)}")
        return cls(place, moment, int(number))


def die() -> NoReturn:
    """End this process at once; nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")


class Failpoints:
    """Counts how often each place is passed, and ends the writer at one of them."""

    def __init__(
        self, journal: Journal, planned: Failpoint | None = None, *, end: Callable[[], NoReturn] = die
    ) -> None:
        self._journal = journal
        self._planned = planned
        self._end = end
        self._passed: Counter[tuple[str, str]] = Counter()
        self._took_s: dict[str, float] = {}
        self._chance = random.Random(journal.writer)
        #: whether somebody tells of statements
        self.hears_statements = False
        self._statements_left = 0

    def reach(self, place: str, moment: str) -> None:
        """Go by, or end here."""
        if self._is_due(place, moment):
            self._note()
            self._end()

    @contextmanager
    def during(self, place: str) -> Iterator[None]:
        """Do something that may be ended at any instruction, or, where statements are told, between any two."""
        began = perf_counter()
        is_armed = self._is_due(place, "during")
        if is_armed:
            self._note()
            self._arm(place)
        try:
            yield
        finally:
            if is_armed:
                self._statements_left = 0
                signal.setitimer(signal.ITIMER_REAL, 0)
            self._took_s[place] = min(perf_counter() - began, _LONGEST_S)

    def _arm(self, place: str) -> None:
        """Let the end come somewhere in the time that this takes."""
        if self.hears_statements and self._chance.random() < 0.5:
            self._statements_left = self._chance.randint(1, _STATEMENTS)
        else:  # unhandled, the signal ends a process like SIGKILL
            longest_s = self._took_s.get(place, 0.001)
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, self._chance.uniform(0, longest_s)))

    def statement(self) -> None:
        """A statement of the database is about to begin, in whatever thread."""
        if self._statements_left:
            self._statements_left -= 1
            if not self._statements_left:
                self._end()

    def _is_due(self, place: str, moment: str) -> bool:
        self._passed[place, moment] += 1
        if self._planned is None or (place, moment) != self._planned[:2]:
            return False
        return self._passed[place, moment] >= self._planned.number

    def _note(self) -> None:
        planned = self._planned
        assert planned is not None  # noqa: S101 - it is due
        self._journal.noted("failpoint", {"place": planned.place, "moment": planned.moment})


def hear_statements_of_sqlite(failpoints: Failpoints) -> None:
    """Of every database that this process opens from now on."""
    import apsw

    def told(*_: object) -> bool:
        failpoints.statement()
        return True

    failpoints.hears_statements = True
    apsw.connection_hooks.append(lambda db: db.set_exec_trace(told))
