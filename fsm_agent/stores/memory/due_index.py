"""An index of the agents that are due, that are held, and whose lease ran out: nobody has to look at all agents.

Each is a heap of times and ids. A change of an agent adds an entry and leaves the old one where it is: entries are
checked when they come up, and what is left of old ones is cleared away when it is more than the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain, islice
from typing import Final, TypeAlias

from fsm_agent.domain.lease import Lease

Entry: TypeAlias = tuple[int, str]

#: So few old entries are no reason to clear away.
_FEW: Final = 64


class TimeQueue:
    """Ids in the order of the times that they have, each at most one."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._valid: dict[str, Entry] = {}

    def put(self, agent_id: str, at_ms: int | None) -> None:
        """Give an id another time; ``None`` is none."""
        known = self._valid.get(agent_id)
        if at_ms is None:
            self._valid.pop(agent_id, None)
        elif known is None or known[0] != at_ms:
            entry = self._valid[agent_id] = (at_ms, agent_id)
            heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._valid) + _FEW:
            self._heap = list(self._valid.values())
            heapq.heapify(self._heap)

    def upto(self, latest_ms: int | None) -> Generator[Entry]:
        """Times up to this one, the earliest first. Nothing may be put until the iterator is closed."""
        passed: list[Entry] = []
        try:
            while self._heap and (latest_ms is None or self._heap[0][0] <= latest_ms):
                entry = heapq.heappop(self._heap)
                if self._valid.get(entry[1]) is entry:
                    passed.append(entry)
                    yield entry
        finally:
            for entry in passed:
                heapq.heappush(self._heap, entry)

    def __len__(self) -> int:
        """How many entries are kept, old ones as well."""
        return len(self._heap)


class DueIndex:
    """The index of agents that need somebody or are held."""

    def __init__(self) -> None:
        #: due by any clock, since their last step
        self._at_once = TimeQueue()
        #: due from a time on: their own, or that at which their lease runs out
        self._later = TimeQueue()
        self._leases = TimeQueue()
        #: host -> who is held from there
        self._hosts: dict[str, dict[str, None]] = {}
        #: what was last said of each of whom something stands here
        self._known: dict[str, tuple[int | None, Lease | None]] = {}

    def put(self, agent_id: str, wake_ms: int | None, updated_ms: int, lease: Lease | None) -> None:
        """Go along with whatever has happened to an agent."""
        known = self._known.get(agent_id, (None, None))
        if known == (wake_ms, lease) and (lease is not None or wake_ms != 0):
            return
        is_at_once = wake_ms == 0 and lease is None
        self._at_once.put(agent_id, updated_ms if is_at_once else None)
        if wake_ms is None or is_at_once:
            self._later.put(agent_id, None)
        else:
            self._later.put(agent_id, wake_ms if lease is None else max(wake_ms, lease.until_ms))
        if known[1] != lease:
            self._hold(agent_id, known[1], lease)
        if wake_ms is None and lease is None:
            self._known.pop(agent_id, None)
        else:
            self._known[agent_id] = (wake_ms, lease)

    def forget(self, agent_id: str) -> None:
        self.put(agent_id, None, 0, None)

    def longest_due(self, now_ms: int, limit: int, is_wanted: Callable[[str], bool] = lambda _: True) -> list[str]:
        """The ids of those that are due, that nobody holds and that are wanted, the longest due first."""
        with closing(self._at_once.upto(None)) as at_once, closing(self._later.upto(now_ms)) as later:
            firsts = [islice((entry for entry in each if is_wanted(entry[1])), limit) for each in (at_once, later)]
            return [agent_id for _, agent_id in heapq.nsmallest(limit, chain(*firsts))]

    def lapsed(self, now_ms: int) -> Generator[str]:
        """The agents whose lease has run out by then. Nothing may be put until the iterator is closed."""
        with closing(self._leases.upto(now_ms)) as leases:
            for _, agent_id in leases:
                yield agent_id

    def held_from(self, host: str) -> list[str]:
        """The agents that are held from a host, also those whose lease has run out."""
        return list(self._hosts.get(host, ()))

    def _hold(self, agent_id: str, was: Lease | None, now: Lease | None) -> None:
        if was is not None:
            del self._hosts[was.holder.host][agent_id]
            if not self._hosts[was.holder.host]:
                del self._hosts[was.holder.host]
        if now is not None:
            self._hosts.setdefault(now.holder.host, {})[agent_id] = None
        self._leases.put(agent_id, None if now is None else now.until_ms)
