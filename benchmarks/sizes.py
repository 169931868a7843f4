"""How much is measured: in full, or, to see that everything runs, as little as can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts; every one of them is named in the row that it makes."""

    runs: int = 9
    memory_steps: int = 2_000
    durable_steps: int = 400
    agents: int = 100
    steps_each: int = 50
    messages: int = 3_000
    #: a long thread and a short one, and the turns in each of them that are timed
    long_thread: int = 10_000
    short_thread: int = 100
    turns: int = 20
    long_steps: int = 1_000
    crowd: int = 10_000
    wakes: int = 200
    fresh_runs: int = 15
    #: in each of two processes
    writers_agents: int = 50
    #: a peer's turn; it is slower
    peer_steps: int = 100
    #: a conversation on a server, where a peer that rewrites it would fill the memory
    peer_messages: int = 1_000
    peer_crowd: int = 2_000
    large_states: int = 1_000
    #: agents that ask something, and requests of each kind in a run
    asking: int = 1_000
    requests: int = 400
    million: int = 1_000_000
    million_due: int = 100
    million_asking: int = 100_000
    #: agents that worker processes drive, how many processes, and how often
    worker_agents: int = 2_000
    worker_processes: tuple[int, ...] = (1, 2, 4)
    worker_runs: int = 3
    #: agents that are started while workers wait for them
    wake_starts: int = 400
    #: agents that somebody holds, and leases that are renewed at once
    held: int = 50_000
    leases: int = 1_000
    #: of a simulation: processes, agents that are due at once, agents that are started, and agents with timers
    simulated_workers: tuple[int, ...] = (1, 3, 10, 30, 100)
    simulated_agents: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    simulated_starts: int = 1_000
    simulated_timers: tuple[int, ...] = (1_000, 10_000)
    #: agents that are driven and agents that wait, where the costs of a server are measured; seconds of doing nothing
    scale_agents: int = 5_000
    scale_waiting: int = 1_000_000
    scale_idle_s: float = 30

    def with_million(self, agents: int) -> Self:
        """The same, with so many agents that wait in place of a million."""
        part = agents / self.million
        due, asking = (max(1, round(count * part)) for count in (self.million_due, self.million_asking))
        return replace(self, million=agents, million_due=due, million_asking=asking)


FULL = Sizes()
#: Everything runs, and no figure means anything.
SMOKE = Sizes(
    runs=1,
    memory_steps=20,
    durable_steps=6,
    agents=4,
    steps_each=3,
    messages=30,
    long_thread=200,
    short_thread=100,
    turns=2,
    long_steps=8,
    crowd=20,
    wakes=3,
    fresh_runs=1,
    writers_agents=2,
    peer_steps=4,
    peer_messages=12,
    peer_crowd=8,
    large_states=40,
    asking=16,
    requests=8,
    million=60,
    million_due=3,
    million_asking=12,
    worker_agents=12,
    worker_processes=(1, 4),
    worker_runs=1,
    wake_starts=4,
    held=20,
    leases=10,
    simulated_workers=(1, 3),
    simulated_agents=(20, 40),
    simulated_starts=10,
    simulated_timers=(20, 40),
    scale_agents=12,
    scale_waiting=60,
    scale_idle_s=0.1,
)
#: what a step costs, in less than three minutes
SMALL_SCALE = Sizes(scale_agents=1_000, scale_waiting=10_000, scale_idle_s=10)
