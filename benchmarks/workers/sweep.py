"""The worker as it was before `take`: each process looks who is due, and claims what it has found one by one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from fsm_agent import Runner
from fsm_agent.errors import LeaseHeld

#: as it was unless somebody said otherwise
EVERY_S: Final = 1.0
AT_ONCE: Final = 100


class Sweep:
    """Drives a page of due agents, then waits, also where the page was full. ``refused`` counts the agents that another
    process was faster to claim."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._driven: dict[str, asyncio.Task[None]] = {}
        self.refused = 0

    async def run(self, stopped: asyncio.Event) -> None:
        store = self._runner.store
        while not stopped.is_set():
            for agent_id in await store.due(await store.now(), AT_ONCE):
                if agent_id not in self._driven:
                    self._driven[agent_id] = asyncio.create_task(self._drive(agent_id))
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await stopped.wait()
        for task in self._driven.values():
            task.cancel()
        await asyncio.gather(*self._driven.values(), return_exceptions=True)

    async def _drive(self, agent_id: str) -> None:
        try:
            await self._runner.resume(agent_id, stay=False)
        except LeaseHeld:
            self.refused += 1
        finally:
            del self._driven[agent_id]
