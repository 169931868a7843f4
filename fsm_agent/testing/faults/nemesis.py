"""The nemesis injects faults: it kills and freezes writers, moves the clock and restarts the servers.

It chooses them at random; the same seed gives the same faults.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, count, cycle
from typing import Final, Protocol

from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.failpoints import SITE_GROUPS, SITES, Failpoint
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.writer import WriterSettings
from fsm_agent.testing.faults.writer_pool import WriterPool

#: Longer than a lease, so that another writer takes over what a frozen one held.
_HANDOVER_MS: Final = 16_000
_LONGEST_JUMP_MS: Final = 180_000
_LONGEST_SKEW_MS: Final = 5_000
#: So short that writers renew it while they live.
_SHORT_LEASE_MS: Final = 1_200
#: How long a writer takes, at most, until it writes, and until it reaches its failpoint.
_WARM_UP_S: Final = 0.2
_FAILPOINT_S: Final = 5.0
#: A run lasts at most so many times as long as it should.
_MOST_TIMES: Final = 20
#: fault -> how often it occurs in a round
_FREQUENCIES: Final = {
    "freeze": 4,
    "hand_over": 2,
    "kill": 4,
    "jump": 1,
    "jump_back": 2,
    "terminate": 1,
    "restart_server": 1,
    "restart_engine": 1,
}
#: Sites that writers reach early, and how often they are chosen. Other sites of their group are seldom reached in time.
_EARLY_SITES: Final = {"claim": 8, "enqueue": 2, "take": 8}
#: Sites that writers pass often, so a failpoint there may have a higher number.
_FREQUENT_SITES: Final = frozenset({"commit", "action", "execute", "begin_effect", "end_effect"})


class ServerControl(Protocol):
    """A server, of a database or of an engine, that the nemesis may kill and restart. Both calls block."""

    def kill(self) -> None:
        """End the server at once, as ``kill -9`` does, and return when it is gone."""

    def restart(self) -> None:
        """Start the server again with the same data and at the same address, and return when it answers."""


@dataclass
class Nemesis:
    """``settings`` are what all writers have in common; ``injected`` counts the faults."""

    pool: WriterPool
    clock: SharedClock
    settings: WriterSettings
    writers: int
    server: ServerControl | None
    engine_server: ServerControl | None
    #: whether the disk of one writer is full now and then
    fills_disk: bool
    #: the moments at which writers can end; tasks cannot end ``during`` a write
    moments: frozenset[str]
    injected: Counter[str] = field(default_factory=Counter)
    #: names of writers that were killed
    killed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.settings.seed} nemesis")
        self._starts = [0] * self.writers
        self._names = [""] * self.writers
        self._mutant = MUTANTS[self.settings.mutant] if self.settings.mutant else None
        self._failpoints = self._plan_failpoints()
        self._started_s: dict[str, float] = {}
        #: names of writers that have a failpoint
        self._with_failpoint: set[str] = set()

    async def run(self, seconds: float, is_enough: Callable[[], bool]) -> None:
        """Inject faults for ``seconds``, and on a slow machine longer, until ``is_enough`` says so."""
        loop = asyncio.get_running_loop()
        until, latest = loop.time() + seconds, loop.time() + seconds * _MOST_TIMES
        replacement = asyncio.create_task(self._replace_ended_writers())
        faults = chain.from_iterable(self._shuffled() for _ in count())
        try:
            while loop.time() < until and not replacement.done():
                await next(faults)()
                await asyncio.sleep(self._rng.uniform(0.02, 0.25))
                if until <= loop.time() < latest and not is_enough():
                    until = loop.time() + 1
        finally:
            replacement.cancel()
            with suppress(asyncio.CancelledError):
                await replacement

    def _shuffled(self) -> list[Callable[[], Awaitable[None]]]:
        names = [name for name, times in _FREQUENCIES.items() for _ in range(times)]
        if self._mutant and self._mutant.faults:
            names = list(self._mutant.faults)
        self._rng.shuffle(names)
        return [getattr(self, f"_{name}") for name in names]

    async def _replace_ended_writers(self) -> None:
        while True:
            for number, name in enumerate(self._names):
                if name not in self.pool.alive:
                    await self._start_writer(number, successor_of=name or None)
            await asyncio.sleep(0.01)

    async def _start_writer(self, number: int, *, successor_of: str | None) -> None:
        self._starts[number] += 1
        self.injected["writers started"] += 1
        self._names[number] = f"w{number}-{self._starts[number]:04}"
        failpoint = next(self._failpoints) if self._rng.random() < 0.75 else None
        settings = replace(
            self.settings,
            name=self._names[number],
            skew_ms=self._rng.randint(-_LONGEST_SKEW_MS, _LONGEST_SKEW_MS),
            lease_ms=_SHORT_LEASE_MS if self._mutant else self._rng.choice([LEASE_MS, _SHORT_LEASE_MS]),
            failpoint=failpoint,
            successor_of=successor_of,
            fills_disk=self.fills_disk and number == 0,
        )
        if settings.failpoint is not None:
            self._with_failpoint.add(settings.name)
        await self.pool.start(settings)
        self._started_s[settings.name] = asyncio.get_running_loop().time()

    def _plan_failpoints(self) -> Iterator[str]:
        """Every failpoint in turn, and each group of sites equally often."""
        groups: list[list[tuple[str, ...]]] = [
            [
                (site, moment)
                for site in verbs
                for moment in SITES.get(site, ()) * _EARLY_SITES.get(site, 1)
                if moment in self.moments
            ]
            for verbs in (sorted(verbs) for verbs in SITE_GROUPS.values())
        ]
        for failpoints in groups:
            self._rng.shuffle(failpoints)
        if self._mutant and self._mutant.failpoint:
            groups = [[tuple(self._mutant.failpoint.split(":"))]]
        for site, moment in chain.from_iterable(zip(*map(cycle, groups), strict=False)):
            longest = 6 if site in _FREQUENT_SITES else 2
            yield str(Failpoint(site, moment, self._rng.randint(1, longest)))

    def _choose_writer(self) -> str | None:
        """A writer that has been there long enough to write."""
        return self._choose(dict.fromkeys(self.pool.alive, _WARM_UP_S))

    def _choose_writer_to_end(self) -> str | None:
        """A writer as above; one with a failpoint is left the time to reach it."""
        return self._choose(
            {name: _FAILPOINT_S if name in self._with_failpoint else _WARM_UP_S for name in self.pool.alive}
        )

    def _choose(self, least_s: dict[str, float]) -> str | None:
        now_s = asyncio.get_running_loop().time()
        old = [name for name, since_s in self._started_s.items() if name in least_s and now_s - since_s > least_s[name]]
        return self._rng.choice(old) if old else None

    async def _kill(self) -> None:
        if name := self._choose_writer_to_end():
            self.killed.add(name)
            await self.pool.signal(name, signal.SIGKILL)

    async def _terminate(self) -> None:
        if name := self._choose_writer_to_end():
            self.injected["stops"] += 1
            await self.pool.signal(name, signal.SIGTERM)

    async def _freeze(self) -> None:
        """Stop a writer until its leases have run out and others have had the time to take over."""
        if name := self._choose_writer():
            self.injected["freezes"] += 1
            await self.pool.signal(name, signal.SIGSTOP)
            await asyncio.sleep(self._rng.uniform(0, 0.1))
            self.clock.jump(_HANDOVER_MS + self._rng.randrange(_LONGEST_JUMP_MS // 10))
            await asyncio.sleep(self._rng.uniform(0.1, 0.4))
            await self.pool.signal(name, signal.SIGCONT)

    async def _hand_over(self) -> None:
        """Let leases run out while their holders work on without knowing it."""
        self.injected["jumps forward"] += 1
        self.clock.jump(_HANDOVER_MS + self._rng.randrange(_LONGEST_JUMP_MS // 10))

    async def _jump(self) -> None:
        self.injected["jumps forward"] += 1
        self.clock.jump(self._rng.randrange(1_000, _LONGEST_JUMP_MS))

    async def _jump_back(self) -> None:
        self.injected["jumps back"] += 1
        self.clock.jump(-self._rng.randrange(1_000, _HANDOVER_MS))

    async def _restart_server(self) -> None:
        if self.server is not None:
            await self._kill_and_restart(self.server)
            self.injected["server restarts"] += 1

    async def _restart_engine(self) -> None:
        if self.engine_server is not None:
            await self._kill_and_restart(self.engine_server)
            self.injected["engine restarts"] += 1

    async def _kill_and_restart(self, server: ServerControl) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(self._rng.uniform(0.05, 0.4))
        await asyncio.to_thread(server.restart)
