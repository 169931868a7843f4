"""The faults of a run that tests an engine: workers are killed, frozen and restarted, wake-ups dropped, and the server
dies. Each counts whether it has hit somebody."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from typing import Any, Final, TypeVar

from fsm_agent.domain.agent import Status
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.lease import Claimed
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import Wakeups
from fsm_agent.testing.faults import ServerControl

from .worker_processes import Workers

LEASE_S: Final = 1.5
_OUTAGE_S: Final = 1

AWAY: Final = "wake-ups while the server was away"

T = TypeVar("T")


class CountedWakeups(Wakeups):
    """Counts wake-ups, and those that the server cannot hear of since it is away."""

    def __init__(self, inner: Wakeups, hits: Counter[str]) -> None:
        self.is_server_away = False
        self._inner = inner
        self._hits = hits

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        self._hits["wake-ups"] += 1
        self._hits[AWAY] += self.is_server_away
        await self._inner.wake(agent_id, at_ms)


class EngineFaults:
    """``run`` lets one fault hit after the other until it is cancelled; then ``heal`` ends what is left of them."""

    def __init__(
        self, server: ServerControl, workers: Workers, runner: Runner, wakeups: CountedWakeups, hits: Counter[str]
    ):
        self._server = server
        self._workers = workers
        self._runner = runner
        self._wakeups = wakeups
        self._hits = hits
        self._rng = random.Random(9)  # noqa: S311 - it is no secret
        self._blocking: asyncio.Future[Any] | None = None
        #: what restarted workers held when they were told to stop
        self.held_at_restart: set[Claimed] = set()
        self.broken: list[str] = []

    async def run(self) -> None:
        # the slow start of a worker is over before somebody is frozen whose agents it is to take
        for fault in cycle((self._restart, self._kill_server, self._freeze, self._kill)):
            await asyncio.sleep(self._rng.uniform(0.2, 0.8))
            await fault()

    async def heal(self) -> None:
        """Everything works again."""
        self._workers.thaw()
        if self._blocking is not None:
            await self._blocking
        if self._wakeups.is_server_away:
            await self._restart_server()
        self._workers.revive()

    async def held(self) -> dict[int, set[Claimed]]:
        """The agents that each worker holds."""
        held: dict[int, set[Claimed]] = {process.pid: set() for process in self._workers.processes}
        for head in (await self._runner.store.list(status=Status.RUNNING, limit=1_000)).heads:
            if head.lease is not None:
                held.setdefault(head.lease.holder.pid, set()).add(Claimed(head.id, head.epoch))
        return held

    async def _kill(self) -> None:
        number = await self._somebody_at_work()
        self._workers.replace(number)
        self._hits["workers killed at work"] += 1

    async def _freeze(self) -> None:
        """Stop a worker until its leases have run out and another one has gone on with its agents."""
        number, held = await self._frozen_at_work()
        process = self._workers.processes[number]
        await asyncio.sleep(LEASE_S * 2)
        while not (taken := held - (await self.held())[process.pid]):  # noqa: ASYNC110 - others write it
            await asyncio.sleep(0.1)
        self._hits["workers frozen at work"] += 1
        self._hits["agents taken from a frozen worker"] += len(taken)
        process.send_signal(signal.SIGCONT)

    async def _restart(self) -> None:
        """Stop a worker as a rolling restart does, while it does what may happen once at most."""
        while True:
            number, held = await self._frozen_at_work()  # so that it is certain what it does when it is told to stop
            if in_flight := sum([await self._in_flight(each) for each in held]):
                break
            self._workers.thaw()
            await asyncio.sleep(0.02)
        self.held_at_restart |= held
        await self._to_its_end(lambda: self._stop_and_start(number))
        self._hits["effects in flight at a restart"] += in_flight

    def _stop_and_start(self, number: int) -> None:
        code = self._workers.restart(number)
        if code != 0:
            self.broken.append(f"a worker that was told to stop ended with code {code}")
        self._hits["workers restarted at work"] += 1

    async def _in_flight(self, claimed: Claimed) -> int:
        """How many effects that may happen once at most were begun under this claim, and have not ended."""
        effects = await self._runner.effects(claimed.agent_id)
        return sum(
            each.is_open and each.mode is EffectMode.AT_MOST_ONCE and each.epoch == claimed.epoch for each in effects
        )

    async def _kill_server(self) -> None:
        """It stays away until somebody was to be woken meanwhile."""
        before = self._hits[AWAY]
        self._wakeups.is_server_away = True
        await self._to_its_end(self._server.kill)
        await asyncio.sleep(_OUTAGE_S)
        while self._hits[AWAY] == before:  # noqa: ASYNC110 - a count tells nobody
            await asyncio.sleep(0.02)
        await self._restart_server()
        self._hits["servers killed"] += 1

    async def _restart_server(self) -> None:
        await self._to_its_end(self._server.restart)
        self._wakeups.is_server_away = False

    async def _to_its_end(self, call: Callable[[], T]) -> T:
        """What blocks goes on if the run is cancelled, and ``heal`` waits for it."""
        task = asyncio.ensure_future(asyncio.to_thread(call))
        self._blocking = task
        return await asyncio.shield(task)

    async def _frozen_at_work(self) -> tuple[int, set[Claimed]]:
        """A worker that stands still now, and what it holds."""
        while True:
            number = await self._somebody_at_work()
            process = self._workers.processes[number]
            process.send_signal(signal.SIGSTOP)
            if held := (await self.held())[process.pid]:
                return number, held
            process.send_signal(signal.SIGCONT)

    async def _somebody_at_work(self) -> int:
        while True:
            held = await self.held()
            busy = [number for number, each in enumerate(self._workers.processes) if held[each.pid]]
            if busy:
                return self._rng.choice(busy)
            await asyncio.sleep(0.02)
