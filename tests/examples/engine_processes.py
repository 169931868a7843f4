"""A child process in which an engine of the examples works: ``python -m tests.examples.engine_processes ray STORE``.

It prints, as JSON, what was seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import psutil
import ray

from examples.engines import ray_actors
from examples.engines.agents import VISIT, work
from fsm_agent import Runner, Worker, open_store
from tests.support.runtime import until
from tests.support.wakeups import NotedWakeups


def listeners() -> list[str]:
    """The addresses at which processes of Ray listen."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            found += [each.laddr.ip for each in child.net_connections("inet") if each.status == psutil.CONN_LISTEN]
        except psutil.Error:  # it has ended
            continue
    return sorted(set(found))


class Visits:
    """Agents that are started without being driven here."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def made(self, *names: str) -> set[int]:
        """Start agents, and wait until they rest; returns the processes that have driven them."""
        for name in names:
            await self._runner.start(VISIT, "go", id=name, drive=False)
        async with asyncio.timeout(60):
            while [name for name in names if (await self._runner.get(name)).state != "resting"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return {pid for name in names for pid in await self._pids(name)}

    async def _pids(self, name: str) -> Any:
        return (await self._runner.get(name)).data["pids"]


async def answer_of(driver: Any) -> None:
    """Wait until Ray has started an actor again."""
    while True:
        try:
            await driver.advance.remote("nobody")
        except ray.exceptions.ActorUnavailableError:
            await asyncio.sleep(0.1)
        else:
            return


async def ray_is_seen(store: str) -> dict[str, Any]:
    drivers = ray_actors.start_drivers(store, 2)
    async with (
        Runner(open_store(store), wakeups=ray_actors.RayWakeups(drivers)) as runner,
        Runner(open_store(store), actions=[work], wakeups=NotedWakeups()) as deaf,
    ):
        first = await Visits(runner).made("a", "b", "c", "d")
        killed = first.copy()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not any(psutil.pid_exists(pid) for pid in killed))
        stopped = asyncio.Event()
        sweep = asyncio.create_task(Worker(deaf).run(stopped))
        lost = await Visits(deaf).made("lost")
        stopped.set()
        await sweep
        await asyncio.gather(*map(answer_of, drivers))
        later = await Visits(runner).made("e", "f", "g", "h")
    return {
        "ours": os.getpid(),
        "drove": sorted(first),
        "drove what was lost": sorted(lost),
        "drove after the kill": sorted(later),
        "listens at": listeners(),
    }


if __name__ == "__main__":
    seen = asyncio.run(ray_is_seen(sys.argv[1]))
    ray.shutdown()
    print(json.dumps(seen))  # noqa: T201
