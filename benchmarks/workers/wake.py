"""How long an agent that another process has started waits until a worker begins its first action."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from benchmarks import bars
from benchmarks.measure import Row, at_most, percentile
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from benchmarks.workers.crew import crew
from benchmarks.workers.flow import FLOW
from benchmarks.workers.process import TAKES
from fsm_agent import Runner, open_store
from fsm_agent.domain.record import Creation
from fsm_agent.engine.commands import Command
from fsm_agent.runtime.command_loop import CommandLoop

STARTS_A_SECOND: Final = 20
_WARM_UP: Final = 20
_PATIENCE_S: Final = 60


class NotingLoop(CommandLoop):
    """Notes when a new agent was committed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.committed: dict[str, float] = {}

    async def perform(self, command: Command) -> Any:
        reply = await super().perform(command)
        if isinstance(command, Creation):
            self.committed[command.head.id] = time.monotonic()
        return reply


class NotingRunner(Runner):
    loop_type = NotingLoop

    @property
    def committed(self) -> dict[str, float]:
        """Agent -> when it was committed."""
        loop = self._loop
        assert isinstance(loop, NotingLoop)
        return loop.committed


def wake_latency(place: Place, sizes: Sizes) -> list[Row]:
    return [row for processes in (1, 4) for row in _rows(place, processes, sizes.wake_starts)]


def latencies_ms(place: Place, processes: int, starts: int) -> list[float]:
    """Of each agent, from its commit to its first action; some before them warm up."""
    url = place.fresh()
    with crew(url, TAKES, processes) as workers:
        workers.begin()
        committed = asyncio.run(_start(url, starts + _WARM_UP))
        workers.wait(len(committed), patience_s=_PATIENCE_S)
        done = workers.end()
    measured = list(committed)[_WARM_UP:]
    return [(done.began[agent_id] - committed[agent_id]) * 1e3 for agent_id in measured]


async def _start(url: str, starts: int) -> dict[str, float]:
    async with NotingRunner(open_store(url)) as runner, asyncio.TaskGroup() as group:
        began = time.monotonic()
        for number in range(starts):
            group.create_task(runner.start(FLOW, "go", id=f"agent-{number:07}", drive=False))
            await asyncio.sleep(max(0.0, began + (number + 1) / STARTS_A_SECOND - time.monotonic()))
    return runner.committed


def _rows(place: Place, processes: int, starts: int) -> list[Row]:
    found = latencies_ms(place, processes, starts)
    who = f"wake, {processes} worker process{'es' if processes > 1 else ''}, {place.name}"
    said = f"{starts:,} starts in another process, {STARTS_A_SECOND} a second, from the commit to the first action"
    longest = f"the longest {max(found):.0f} ms"
    return [
        at_most(f"{who}: p50 in ms", bars.WORKER_WAKE_P50_MS, percentile(found, 50), said),
        at_most(f"{who}: p99 in ms", bars.WORKER_WAKE_P99_MS, percentile(found, 99), longest),
    ]
