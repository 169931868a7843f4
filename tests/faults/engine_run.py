"""A run that tests an engine under faults: agents are started and moved, while workers are killed and frozen, wake-ups
are dropped and the engine's server dies. The verdict says what was broken, and whether the faults hit anything."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.agent import Status
from fsm_agent.engines import Wakeups, open_engine
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults import ServerControl
from tests.support.payments import PAYMENT, actions_in, make_folder

from .engine_verdict import Verdict, broken_rules

ROOT: Final = Path(__file__).parents[2]
LEASE_S: Final = 1.5
_LONGEST_S: Final = 0.15
_EVERY_S: Final = 0.5
#: how many agents are started in a second, and how often one that rests pays once more
_RATE: Final = 12
_AGAIN: Final = 0.5
_DROPPED: Final = 0.05

#: How to start a worker: the words of a command.
Command: TypeAlias = Sequence[str]


class Subject(NamedTuple):
    """An engine to be tested: its URL, the server that is killed, and its workers."""

    url: str
    server: ServerControl
    workers: Sequence[Command]


class DroppedWakeups(Wakeups):
    """Loses some of the wake-ups, on purpose or together with the server."""

    def __init__(self, inner: Wakeups, rng: random.Random, hits: Counter[str]) -> None:
        self.is_server_away = False
        self._inner = inner
        self._rng = rng
        self._hits = hits

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        self._hits["wake-ups"] += 1
        if self._rng.random() < _DROPPED:
            self._hits["wake-ups dropped"] += 1
            return
        self._hits["wake-ups while the server was away"] += self.is_server_away
        await self._inner.wake(agent_id, at_ms)


class Workers:
    """The processes of a run."""

    def __init__(self, commands: Sequence[Command], environment: Mapping[str, str], folder: Path) -> None:
        self._commands = commands
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.processes = [self._start(number) for number in range(len(self._commands))]
            yield
        finally:
            for process in self.processes:
                process.kill()
                process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"worker-{number}.log").open("ab") as log:
            return subprocess.Popen(
                self._commands[number], cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def replace(self, number: int) -> None:
        """Kill a worker, and start another one."""
        self.processes[number].kill()
        self.processes[number].wait()
        self.processes[number] = self._start(number)

    def revive(self) -> None:
        """Start those again that have ended, since the server was away when they began."""
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                self.processes[number] = self._start(number)

    def end(self) -> None:
        """Stop all of them as an operator would, and wait for them."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(60)


class EngineRun:
    """One run, on a loop."""

    def __init__(self, subject: Subject, workers: Workers, runner: Runner, wakeups: DroppedWakeups, hits: Counter[str]):
        self._subject = subject
        self._workers = workers
        self._runner = runner
        self._wakeups = wakeups
        self.hits = hits
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
                seen |= {pid for pid, held in (await self._held()).items() if held}

    async def load(self, seconds: float, most_s: float) -> None:
        """Start agents and move those that rest, while faults hit; longer if one of them has hit nothing yet."""
        loop = asyncio.get_running_loop()
        until, latest = loop.time() + seconds, loop.time() + most_s
        faults = asyncio.create_task(self._faults())
        try:
            while not faults.done() and (
                loop.time() < until or (loop.time() < latest and Verdict((), self.hits).missing)
            ):
                self._workers.revive()
                await self._start()
                if self._rng.random() < _AGAIN:
                    await self._move(self._rng.choice(list(self.due)))
                await asyncio.sleep(1 / _RATE)
        finally:
            faults.cancel()
            await asyncio.gather(faults, return_exceptions=True)
            for process in self._workers.processes:
                process.send_signal(signal.SIGCONT)
            if self._wakeups.is_server_away:
                await self._restart_server()
            self._workers.revive()
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
        self.hits["agents"] += 1

    async def _move(self, agent_id: str) -> None:
        try:
            await self._runner.send(agent_id, "again", drive=False)
        except FsmAgentError:  # it is at work
            return
        self.due[agent_id] += 1
        self.hits["events"] += 1

    async def _restless(self) -> list[str]:
        heads = [await self._runner.store.head(agent_id) for agent_id in self.due]
        return [head.id for head in heads if head.lease or (head.state != "resting" and head.status != Status.PARKED)]

    async def _faults(self) -> None:
        for fault in cycle((self._kill, self._freeze, self._kill, self._kill_server)):
            await asyncio.sleep(self._rng.uniform(0.2, 0.8))
            await fault()

    async def _kill(self) -> None:
        number = await self._somebody_at_work()
        self._workers.replace(number)
        self.hits["workers killed at work"] += 1

    async def _freeze(self) -> None:
        """Stop a worker until its leases have run out and another one has gone on with its agents."""
        number = await self._somebody_at_work()
        process = self._workers.processes[number]
        process.send_signal(signal.SIGSTOP)
        held = (await self._held())[process.pid]
        await asyncio.sleep(LEASE_S * 2)
        left = (await self._held())[process.pid]
        self.hits["workers frozen at work"] += bool(held)
        self.hits["agents taken from a frozen worker"] += len(held - left)
        process.send_signal(signal.SIGCONT)

    async def _kill_server(self) -> None:
        self._wakeups.is_server_away = True
        await asyncio.to_thread(self._subject.server.kill)
        await asyncio.sleep(1)
        await self._restart_server()
        self.hits["servers killed"] += 1

    async def _restart_server(self) -> None:
        await asyncio.to_thread(self._subject.server.restart)
        self._wakeups.is_server_away = False

    async def _somebody_at_work(self) -> int:
        while True:
            held = await self._held()
            busy = [number for number, each in enumerate(self._workers.processes) if held[each.pid]]
            if busy:
                return self._rng.choice(busy)
            await asyncio.sleep(0.02)

    async def _held(self) -> dict[int, set[str]]:
        """The agents that each worker holds."""
        held: dict[int, set[str]] = {process.pid: set() for process in self._workers.processes}
        for head in (await self._runner.store.list(status=Status.RUNNING, limit=1_000)).heads:
            if head.lease is not None:
                held.setdefault(head.lease.holder.pid, set()).add(head.id)
        return held


async def prove(
    subject: Subject, store: str, folder: Path, *, seconds: float, patience_s: float = 60, mutant: bool = False
) -> Verdict:
    """Let faults hit workers of the subject for so many seconds; then all agents must come to rest."""
    hits: Counter[str] = Counter()
    service, namespace = make_folder(folder / "service"), f"n{os.urandom(4).hex()}"
    environment = {
        "STORE": store,
        "ENGINE": subject.url,
        "NAMESPACE": namespace,
        "FOLDER": str(service),
        "LONGEST_S": str(_LONGEST_S),
        "LEASE_S": str(LEASE_S),
        "EVERY_S": str(_EVERY_S),
        "MUTANT": "no sweep" if mutant else "",
    }
    workers = Workers(subject.workers, environment, folder)
    async with open_engine(subject.url, namespace=namespace) as engine:
        wakeups = DroppedWakeups(engine.wakeups(), random.Random(5), hits)  # noqa: S311
        async with Runner(open_store(store, namespace=namespace), wakeups=wakeups) as runner:
            run = EngineRun(subject, workers, runner, wakeups, hits)
            with workers.running():
                await run.until_working()
                await run.load(seconds, 0 if mutant else 5 * seconds)
                restless = await run.rest(patience_s)
                await asyncio.to_thread(workers.end)
    async with Runner(open_store(store, namespace=namespace), actions=actions_in(service)) as runner:
        broken = [sentence async for sentence in broken_rules(runner, run.due, service, restless)]
    return Verdict(broken, hits)
