"""How often somebody may ask: a bucket of requests each, which fills up with time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from fsm_agent.server.problems import HttpProblem

#: accounts that are remembered; beyond them, those with full buckets are forgotten
_MOST_ACCOUNTS: Final = 10_000


class RateLimit:
    """At most ``per_second`` requests of each account in the long run, and twice as many at once; 0 is any number."""

    def __init__(self, per_second: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._most = 2.0 * per_second
        self._clock = clock
        #: account -> requests that are left, and when that was so
        self._buckets: dict[str, tuple[float, float]] = {}

    def count(self, account: str) -> None:
        """Count a request. Raises ``HttpProblem`` 429 if it is one too many."""
        if not self._per_second:
            return
        now_s = self._clock()
        left, since_s = self._buckets.get(account, (self._most, now_s))
        left = min(self._most, left + (now_s - since_s) * self._per_second)
        if left < 1:
            self._buckets[account] = left, now_s
            raise HttpProblem(429, "too-many-requests", f"more than {self._per_second} requests a second; ask later")
        self._buckets[account] = left - 1, now_s
        if len(self._buckets) > _MOST_ACCOUNTS:
            self._forget_idle(now_s)

    def _forget_idle(self, now_s: float) -> None:
        idle_s = self._most / self._per_second
        self._buckets = {name: each for name, each in self._buckets.items() if now_s - each[1] < idle_s}
