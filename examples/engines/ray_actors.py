"""Actors of Ray drive agents: ``python -m examples.engines.ray_actors postgresql://localhost/agents``.

An actor is restarted when it dies, and no call is repeated: whoever was lost with it, the worker beside it finds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from itertools import cycle
from typing import Any

# Ray alone on this machine: it listens on the loopback only, and tells its makers nothing.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

from examples.engines.agents import VISIT, work
from fsm_agent import Runner, Worker, open_store
from fsm_agent.engines import SentWakeups, advance


class Driver:
    """One runner in each actor; its calls run side by side on the actor's loop."""

    def __init__(self, store: str) -> None:
        self._runner = Runner(open_store(store), actions=[work])

    async def advance(self, agent_id: str) -> None:
        await advance(self._runner, agent_id)


class RayWakeups(SentWakeups):
    """Calls the actors in turn; a call is sent, and its result is nobody's."""

    def __init__(self, drivers: list[Any]) -> None:
        super().__init__("Ray")
        self._drivers = cycle(drivers)

    async def send(self, agent_id: str, at_ms: int | None) -> None:
        if at_ms is None:  # else the sweep finds it in time
            next(self._drivers).advance.remote(agent_id)


def start_drivers(store: str, count: int) -> list[Any]:
    """Begin with some actors."""
    ray.init(include_dashboard=False, log_to_driver=False)
    actor: Any = ray.remote(Driver)
    driver = actor.options(num_cpus=0.5, max_concurrency=100, max_restarts=-1, max_task_retries=0)
    return [driver.remote(store) for _ in range(count)]


async def main(store: str) -> None:
    async with Runner(open_store(store), actions=[work], wakeups=RayWakeups(start_drivers(store, 2))) as runner:
        sweep = asyncio.create_task(Worker(runner, every=timedelta(seconds=5)).run(asyncio.Event()))
        for number in range(10):
            await runner.start(VISIT, "go", id=f"visit-{number}", drive=False)
        await sweep


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
