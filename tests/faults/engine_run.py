"""A run that tests an engine under faults: agents are started and moved, while faults hit workers, wake-ups and the
server. The verdict says what was broken, and whether the faults hit anything."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Status
from fsm_agent.engines import Wakeups, open_engine
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import StoreBell
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults import ServerControl
from fsm_agent.testing.faults.engine import LossyWakeups
from tests.support.payments import PAYMENT, actions_in, make_folder

from .engine_faults import LEASE_S, CountedWakeups, EngineFaults
from .engine_verdict import REQUIRED, Verdict, broken_rules
from .worker_processes import Command, Workers

#: what workers are told by their environment
_SETTINGS: Final = MappingProxyType(
    {"LONGEST_S": "0.15", "LEASE_S": str(LEASE_S), "EVERY_S": "0.5", "DRAIN_S": "5", "MUTANT": ""}
)
#: how many agents are started in a second, and how often one that rests pays once more
_RATE: Final = 12
_AGAIN: Final = 0.5
#: how much longer a run may take in which a fault has hit nothing yet
_LONGER: Final = 5


class Subject(NamedTuple):
    """What is tested: the URL of an engine, empty for the store's bell; the server that is killed; and the workers."""

    url: str
    server: ServerControl
    workers: Sequence[Command]


class EngineRun:
    """One run, on a loop."""

    def __init__(self, workers: Workers, runner: Runner, faults: EngineFaults, hits: Counter[str]):
        self._workers = workers
        self._runner = runner
        self._faults = faults
        self._hits = hits
        self._rng = random.Random(7)  # noqa: S311 - it is no secret
        #: agent -> how often it is to have paid in the end
        self.due: dict[str, int] = {}

    async def until_working(self) -> None:
        """Until every worker has been seen at work: it is no fault if one is slow to begin."""
        seen: set[int] = set()
        async with asyncio.timeout(60):
            while len(seen) < len(self._workers.processes):
                await self._start()
                await asyncio.sleep(1 / _RATE)
                seen |= {pid for pid, held in (await self._faults.held()).items() if held}

    async def load(self, seconds: float, required: Collection[str]) -> None:
        """Start agents and move those that rest, while faults hit; longer until all that is required has hit."""
        loop = asyncio.get_running_loop()
        until, latest = loop.time() + seconds, loop.time() + _LONGER * seconds
        faults = asyncio.create_task(self._faults.run())
        try:
            while not faults.done() and (
                loop.time() < until or (loop.time() < latest and not all(self._hits[name] for name in required))
            ):
                self._workers.revive()
                await self._start()
                if self._rng.random() < _AGAIN:
                    await self._move(self._rng.choice(list(self.due)))
                await asyncio.sleep(1 / _RATE)
        finally:
            faults.cancel()
            await asyncio.gather(faults, return_exceptions=True)
            await self._faults.heal()
        if not faults.cancelled():
            faults.result()

    async def rest(self, patience_s: float) -> list[str]:
        """Wait until all agents rest; returns those that do not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while (restless := await self._restless()) and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return restless

    async def _start(self) -> None:
        agent_id = f"a{len(self.due)}"
        await self._runner.start(PAYMENT, id=agent_id, drive=False)
        self.due[agent_id] = 1
        self._hits["agents"] += 1

    async def _move(self, agent_id: str) -> None:
        try:
            await self._runner.send(agent_id, "again", drive=False)
        except FsmAgentError:  # it is at work
            return
        self.due[agent_id] += 1
        self._hits["events"] += 1

    async def _restless(self) -> list[str]:
        heads = [await self._runner.store.head(agent_id) for agent_id in self.due]
        return [head.id for head in heads if head.lease or (head.state != "resting" and head.status != Status.PARKED)]


async def prove(
    subject: Subject,
    store_url: str,
    folder: Path,
    *,
    seconds: float,
    patience_s: float = 60,
    required: Collection[str] = REQUIRED,
    **settings: str,
) -> Verdict:
    """Let faults hit workers of the subject for so many seconds, and longer until all that is required has hit; then
    all agents must come to rest. ``settings`` make workers worse than they are."""
    hits: Counter[str] = Counter()
    service, namespace = make_folder(folder / "service"), f"n{os.urandom(4).hex()}"
    environment = {**_SETTINGS, "STORE": store_url, "ENGINE": subject.url, "NAMESPACE": namespace, **settings}
    workers = Workers(subject.workers, {**environment, "FOLDER": str(service)}, folder)
    store = open_store(store_url, namespace=namespace)
    async with _wakeups(subject.url, store, namespace) as inner:
        wakeups = CountedWakeups(inner, hits)
        lossy = LossyWakeups(wakeups, random.Random(5), lambda _: hits.update(["wake-ups dropped"]))  # noqa: S311
        async with Runner(store, wakeups=lossy) as runner:
            faults = EngineFaults(subject.server, workers, runner, wakeups, hits)
            run = EngineRun(workers, runner, faults, hits)
            with workers.running():
                await run.until_working()
                await run.load(seconds, required)
                restless = await run.rest(patience_s)
                await asyncio.to_thread(workers.end)
    async with Runner(open_store(store_url, namespace=namespace), actions=actions_in(service)) as runner:
        found = broken_rules(runner, run.due, service, restless, faults.held_at_restart)
        return Verdict([*faults.broken, *[sentence async for sentence in found]], hits)


@asynccontextmanager
async def _wakeups(url: str, store: Store, namespace: str) -> AsyncIterator[Wakeups]:
    if not url:
        yield StoreBell(store)
        return
    async with open_engine(url, namespace=namespace) as engine:
        yield engine.wakeups()
