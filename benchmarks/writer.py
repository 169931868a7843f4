"""One of several processes that write to one store: ``python -m benchmarks.writer``, asked by ``dialogue``."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.crowds import gathered
from benchmarks.places import MemoryPlace
from benchmarks.serving import serve
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store


class Writer:
    """Its agents are made first, so that all writers can begin at once."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()

    def make(self, url: str, agents: int, steps: int) -> dict[str, Any]:
        return self._loop.run(self._make(url, agents, steps))

    async def _make(self, url: str, agents: int, steps: int) -> dict[str, Any]:
        self._runner = Runner(open_store(url), actions=[work])
        data = {**DATA, "until": steps}
        made = await asyncio.gather(*(self._runner.start(WORKING, data=data) for _ in range(agents)))
        self._ids = [agent.id for agent in made]
        return {}

    def drive(self) -> dict[str, Any]:
        return self._loop.run(self._drive())

    def gather(self, agents: int, wakes: int) -> dict[str, Any]:
        """A crowd in the memory of this process."""
        return self._loop.run(gathered(MemoryPlace(), agents, wakes))._asdict()

    async def _drive(self) -> dict[str, Any]:
        """Moments of one clock that all processes of a host share."""
        began = time.monotonic()
        await asyncio.gather(*(self._runner.send(agent_id, "go") for agent_id in self._ids))
        ended = time.monotonic()
        await self._runner.close()
        return {"began": began, "ended": ended}


if __name__ == "__main__":
    writer = Writer()
    serve({"make": writer.make, "drive": writer.drive, "gather": writer.gather})
