"""Notes what becomes of agents: who takes them, when, and in which order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measure import percentile
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import Claimed


@dataclass(slots=True)
class Recorder:
    """``expected`` is how many agents come to their end before the run is over."""

    expected: int
    #: agent -> since when it is due, in seconds of the loop
    due_s: dict[str, float] = field(default_factory=dict)
    #: worker -> agents that it has brought to their end
    shares: Counter[str] = field(default_factory=Counter)
    #: the seconds from due, or from the beginning of the run, to the action, in order of the actions
    waits_s: list[float] = field(default_factory=list)
    #: claims that were handed out twice
    conflicts: int = 0
    #: commits that were refused
    refused: int = 0
    takes: int = 0
    empty_takes: int = 0
    #: by how much an agent was due longer than one that was taken before it, at the most
    overtaken_s: float = 0.0
    #: by how much one began after another that was due as long, at the most
    apart_s: float = 0.0
    last_s: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _claims: set[Claimed] = field(default_factory=set)
    _newest_s: float = float("-inf")
    #: since when agents are due -> when the first of them began
    _first_s: dict[float, float] = field(default_factory=dict)

    def created(self, head: Head) -> None:
        """An agent that is due at once."""
        self.due_s[head.id] = asyncio.get_running_loop().time()

    def taken(self, worker: str, claimed: Sequence[Claimed]) -> None:
        self.takes += 1
        self.empty_takes += not claimed
        for each in claimed:
            self.conflicts += each in self._claims
            self._claims.add(each)
            due_s = self.due_s[each.agent_id]
            self.overtaken_s = max(self.overtaken_s, self._newest_s - due_s)
            self._newest_s = max(self._newest_s, due_s)

    def began(self, agent_id: str) -> None:
        """Its action begins."""
        now_s, due_s = asyncio.get_running_loop().time(), self.due_s[agent_id]
        self.waits_s.append(now_s - max(0.0, due_s))
        self.apart_s = max(self.apart_s, now_s - self._first_s.setdefault(due_s, now_s))

    def committed(self, worker: str, head: Head) -> None:
        if head.status is Status.RUNNING:
            return
        self.shares[worker] += 1
        self.last_s = asyncio.get_running_loop().time()
        if self.shares.total() >= self.expected:
            self.over.set()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown."""

    workers: int
    agents: int
    #: agents that nobody had driven to their end when it was over
    left: int
    #: until the last agent had ended
    seconds: float
    conflicts: int
    refused: int
    takes: int
    empty_takes: int
    wait_p50_ms: float
    wait_p99_ms: float
    wait_most_ms: float
    overtaken_ms: float
    apart_ms: float
    #: of the agents, by the worker that had the fewest and by the one that had the most
    smallest_share: float
    largest_share: float

    @property
    def agents_s(self) -> float:
        return (self.agents - self.left) / self.seconds if self.seconds else 0.0


def outcome_of(recorder: Recorder, workers: Sequence[str], agents: int) -> Outcome:
    ended = recorder.shares.total()
    shares = [recorder.shares[name] / max(1, ended) for name in workers]
    waits_ms = [each * 1e3 for each in recorder.waits_s] or [float("inf")]
    return Outcome(
        workers=len(workers),
        agents=agents,
        left=agents - ended,
        seconds=recorder.last_s,
        conflicts=recorder.conflicts,
        refused=recorder.refused,
        takes=recorder.takes,
        empty_takes=recorder.empty_takes,
        wait_p50_ms=percentile(waits_ms, 50),
        wait_p99_ms=percentile(waits_ms, 99),
        wait_most_ms=max(waits_ms),
        overtaken_ms=recorder.overtaken_s * 1e3,
        apart_ms=recorder.apart_s * 1e3,
        smallest_share=min(shares),
        largest_share=max(shares),
    )
