"""Failpoints end a writer at a site: before, during or after a write of the store, in an action or in an effect.

``commit:before:17`` ends the writer at the seventeenth commit, before anything is written. ``during`` ends it at any
instruction of a write: a timer runs out within the time that the last such write took. In SQLite half of these
failpoints end it between two statements instead.
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

#: site -> moments. Sites are actions, executions of effects, and the verbs with which the workloads write to the store.
SITES: Final = {
    "commit": ("before", "during", "after"),
    "create": ("before", "during", "after"),
    "enqueue": ("before", "during", "after"),
    "claim": ("before", "during", "after"),
    "take": ("before", "during", "after"),
    "renew_all": ("before", "during", "after"),
    "release": ("before", "during", "after"),
    "record_attempt": ("before", "during", "after"),
    "begin_effect": ("before", "during", "after"),
    "end_effect": ("before", "during", "after"),
    "append": ("before", "during", "after"),
    "save_user": ("before", "during", "after"),
    "revise": ("before", "during", "after"),
    "shorten": ("before", "during", "after"),
    "delete": ("before", "during", "after"),
    "adopt": ("before", "during", "after"),
    "action": ("before", "after"),
    "execute": ("before", "after"),
}

#: group of sites -> the verbs that a writer can be killed in
SITE_GROUPS: Final = {
    "actions": frozenset({"action"}),
    "effects": frozenset({"execute", "begin_effect", "end_effect"}),
    "commits": frozenset({"commit"}),
    "other writes": frozenset(
        {"create", "enqueue", "claim", "take", "release", "renew", "renew_all", "record_attempt"}
    ),
    "maintenance": frozenset({"append", "save_user", "revise", "shorten", "delete", "adopt", "retract"}),
}

#: The longest time that ``during`` waits before it ends a writer.
_LONGEST_S: Final = 0.01
#: About as many statements as a commit has.
_STATEMENTS: Final = 8


class Failpoint(NamedTuple):
    """A site and a moment of ``SITES``. The writer ends when it gets there for the ``number``-th time."""

    site: str
    moment: str
    number: int

    def __str__(self) -> str:
        return f"{self.site}:{self.moment}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Failpoint:
        """Raises ``ValueError`` for an unknown site or moment."""
        site, moment, number = text.split(":")
        if moment not in SITES.get(site, ()):
            raise ValueError(f"there is no failpoint {text!r}; sites are {', '.join(SITES)}")
        return cls(site, moment, int(number))


def kill_this_process() -> NoReturn:
    """End this process at once, without any cleaning up."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")


class Failpoints:
    """Counts how often each site is passed, and ends the writer at the ``planned`` failpoint by calling ``end``."""

    def __init__(
        self, journal: Journal, planned: Failpoint | None = None, *, end: Callable[[], NoReturn] = kill_this_process
    ) -> None:
        self._journal = journal
        self._planned = planned
        self._end = end
        self._passed: Counter[tuple[str, str]] = Counter()
        self._took_s: dict[str, float] = {}
        self._rng = random.Random(journal.writer)
        #: whether ``statement`` is called before each statement of the database
        self.traces_statements = False
        self._statements_left = 0

    def reach(self, site: str, moment: str) -> None:
        """Pass a site; ends the writer if the failpoint is due."""
        if self._is_due(site, moment):
            self._note()
            self._end()

    @contextmanager
    def during(self, site: str) -> Iterator[None]:
        """A write that the failpoint may end at any instruction, or between any two statements."""
        began = perf_counter()
        is_armed = self._is_due(site, "during")
        if is_armed:
            self._note()
            self._arm(site)
        try:
            yield
        finally:
            if is_armed:
                self._statements_left = 0
                signal.setitimer(signal.ITIMER_REAL, 0)
            self._took_s[site] = min(perf_counter() - began, _LONGEST_S)

    def _arm(self, site: str) -> None:
        """Choose when the writer ends, within the time that the write takes."""
        if self.traces_statements and self._rng.random() < 0.5:
            self._statements_left = self._rng.randint(1, _STATEMENTS)
        else:  # nothing handles the signal, so it ends the process like SIGKILL
            longest_s = self._took_s.get(site, 0.001)
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, self._rng.uniform(0, longest_s)))

    def statement(self) -> None:
        """A statement of the database is about to begin, in any thread."""
        if self._statements_left:
            self._statements_left -= 1
            if not self._statements_left:
                self._end()

    def _is_due(self, site: str, moment: str) -> bool:
        self._passed[site, moment] += 1
        if self._planned is None or (site, moment) != self._planned[:2]:
            return False
        return self._passed[site, moment] >= self._planned.number

    def _note(self) -> None:
        planned = self._planned
        assert planned is not None  # noqa: S101 - it is due
        self._journal.note("failpoint", {"site": planned.site, "moment": planned.moment})


def trace_sqlite_statements(failpoints: Failpoints) -> None:
    """Call ``statement`` before each statement of every database that this process opens from now on."""
    import apsw

    def trace(*_: object) -> bool:
        failpoints.statement()
        return True

    failpoints.traces_statements = True
    apsw.connection_hooks.append(lambda db: db.set_exec_trace(trace))
