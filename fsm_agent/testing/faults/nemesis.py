"""The nemesis: it kills and freezes writers, turns the clock and stops the server, at random, the same for one seed."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, count, cycle
from typing import Final

from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.failpoints import Failpoint
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.places import KINDS, PLACES
from fsm_agent.testing.faults.servers import ServerControl
from fsm_agent.testing.faults.writer_pool import Herd

#: Beyond a lease: what a frozen writer held goes to another.
_HANDOVER_MS: Final = 16_000
_LONGEST_JUMP_MS: Final = 180_000
_LONGEST_SKEW_MS: Final = 5_000
#: How old a writer is that has begun to write, and how long one may take to reach its failpoint.
_GROWN_S: Final = 0.2
_PATIENCE_S: Final = 5.0
#: How many times as long as it was told a run may take.
_LONGEST: Final = 10
#: How often an act comes up, among the others.
_DECK: Final = {"freeze": 4, "hand_over": 2, "kill": 4, "jump": 1, "jump_back": 2, "terminate": 1, "restart_server": 1}
#: The turns of failpoints that are reached soon, among those of their kind that seldom are.
_TURNS: Final = {"claim": 8, "enqueue": 2}
#: Passed often: a failpoint there may wait for its time.
_FREQUENT: Final = frozenset({"commit", "action", "execute", "begin_effect", "end_effect"})


@dataclass
class Nemesis:
    """``orders`` are those of every writer but for its name and its fate; ``done`` counts what was done."""

    herd: Herd
    clock: SharedClock
    orders: Orders
    writers: int
    server: ServerControl | None
    #: whether the kernel can stand in for a full disk
    fills_disk: bool
    #: a moment ``during`` which a writer may end, or not: tasks cannot
    moments: frozenset[str]
    done: Counter[str] = field(default_factory=Counter)
    #: names of writers that were killed
    killed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.orders.seed} nemesis")
        self._lives = [0] * self.writers
        self._names = [""] * self.writers
        self._mutant = MUTANTS[self.orders.mutant] if self.orders.mutant else None
        self._failpoints = self._planned()
        self._begun: dict[str, float] = {}
        #: whom a failpoint awaits
        self._doomed: set[str] = set()

    async def torment(self, seconds: float, is_enough: Callable[[], bool]) -> None:
        """Keep writers at work, and let them suffer: so long, and on a slow machine longer, until it is enough."""
        loop = asyncio.get_running_loop()
        until, latest = loop.time() + seconds, loop.time() + seconds * _LONGEST
        keeping_up = asyncio.create_task(self._keep_up())
        acts = chain.from_iterable(self._shuffled() for _ in count())
        try:
            while loop.time() < until and not keeping_up.done():
                await next(acts)()
                await asyncio.sleep(self._chance.uniform(0.02, 0.25))
                if until <= loop.time() < latest and not is_enough():
                    until = loop.time() + 1
        finally:
            keeping_up.cancel()
            with suppress(asyncio.CancelledError):
                await keeping_up

    def _shuffled(self) -> list[Callable[[], Awaitable[None]]]:
        names = [name for name, times in _DECK.items() for _ in range(times)]
        if self._mutant and self._mutant.acts:
            names = list(self._mutant.acts)
        self._chance.shuffle(names)
        return [getattr(self, f"_{name}") for name in names]

    async def _keep_up(self) -> None:
        """Whoever has ended is followed by an heir."""
        while True:
            for number, name in enumerate(self._names):
                if name not in self.herd.living:
                    await self._begin(number, heir_of=name or None)
            await asyncio.sleep(0.01)

    async def _begin(self, number: int, *, heir_of: str | None) -> None:
        self._lives[number] += 1
        self.done["lives"] += 1
        self._names[number] = f"w{number}-{self._lives[number]:04}"
        fate = replace(
            self.orders,
            name=self._names[number],
            skew_ms=self._chance.randint(-_LONGEST_SKEW_MS, _LONGEST_SKEW_MS),
            failpoint=next(self._failpoints) if self._chance.random() < 0.75 else None,
            heir_of=heir_of,
            is_short_of_disk=self.fills_disk and number == 0,
        )
        if fate.failpoint is not None:
            self._doomed.add(fate.name)
        await self.herd.start(fate)
        self._begun[fate.name] = asyncio.get_running_loop().time()

    def _planned(self) -> Iterator[str]:
        """Every failpoint in turn, and each kind of place as often as any other."""
        kinds: list[list[tuple[str, ...]]] = [
            [
                (place, moment)
                for place in verbs
                for moment in PLACES.get(place, ()) * _TURNS.get(place, 1)
                if moment in self.moments
            ]
            for verbs in (sorted(verbs) for verbs in KINDS.values())
        ]
        for places in kinds:
            self._chance.shuffle(places)
        if self._mutant and self._mutant.failpoint:
            kinds = [[tuple(self._mutant.failpoint.split(":"))]]
        for place, moment in chain.from_iterable(zip(*map(cycle, kinds), strict=False)):
            longest = 6 if place in _FREQUENT else 2
            yield str(Failpoint(place, moment, self._chance.randint(1, longest)))

    def _someone(self, *, doomed_too: bool = True) -> str | None:
        """Who is old enough to be at work; whom a failpoint awaits is given the time to get there."""
        now = asyncio.get_running_loop().time()
        ages = {name: now - begun for name, begun in self._begun.items() if name in self.herd.living}
        grown = [
            name
            for name, age in ages.items()
            if age > _GROWN_S and (doomed_too or name not in self._doomed or age > _PATIENCE_S)
        ]
        return self._chance.choice(grown) if grown else None

    async def _kill(self) -> None:
        if name := self._someone(doomed_too=False):
            self.killed.add(name)
            await self.herd.signal(name, signal.SIGKILL)

    async def _terminate(self) -> None:
        if name := self._someone(doomed_too=False):
            self.done["stops"] += 1
            await self.herd.signal(name, signal.SIGTERM)

    async def _freeze(self) -> None:
        """Until its leases have run out and others have had the time to take over."""
        if name := self._someone():
            self.done["freezes"] += 1
            await self.herd.signal(name, signal.SIGSTOP)
            await asyncio.sleep(self._chance.uniform(0, 0.1))
            self.clock.jump(_HANDOVER_MS + self._chance.randrange(_LONGEST_JUMP_MS // 10))
            await asyncio.sleep(self._chance.uniform(0.1, 0.4))
            await self.herd.signal(name, signal.SIGCONT)

    async def _hand_over(self) -> None:
        """Leases run out, and whoever held them works on: he does not know yet."""
        self.done["jumps forward"] += 1
        self.clock.jump(_HANDOVER_MS + self._chance.randrange(_LONGEST_JUMP_MS // 10))

    async def _jump(self) -> None:
        self.done["jumps forward"] += 1
        self.clock.jump(self._chance.randrange(1_000, _LONGEST_JUMP_MS))

    async def _jump_back(self) -> None:
        self.done["jumps back"] += 1
        self.clock.jump(-self._chance.randrange(1_000, _HANDOVER_MS))

    async def _restart_server(self) -> None:
        if self.server is not None:
            await asyncio.to_thread(self.server.kill)
            await asyncio.sleep(self._chance.uniform(0.05, 0.4))
            await asyncio.to_thread(self.server.restart)
            self.done["server restarts"] += 1
