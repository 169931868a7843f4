"""Agents that are advanced in tasks of this event loop: for engines whose messages this process receives itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial

from fsm_agent.engines.base import HORIZON_MS, Advance


class AgentTasks:
    """Advances agents that are woken, at most ``at_once`` at the same time. One that is woken while it is advanced is
    advanced once more after that."""

    def __init__(self, advance: Advance, *, at_once: int) -> None:
        self._advance = advance
        self._free = asyncio.Semaphore(at_once)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: agents that were woken since their task began
        self._woken: set[str] = set()
        #: agents that need somebody later
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._is_over = False

    @property
    def at_work(self) -> Collection[asyncio.Task[None]]:
        """The agents that are being advanced, or wait for a place."""
        return self._tasks.values()

    def wake(self, agent_id: str) -> None:
        """Advance an agent now. Does nothing once ``drain`` has begun."""
        if self._is_over:
            return
        if (handle := self._later.pop(agent_id, None)) is not None:
            handle.cancel()
        if agent_id in self._tasks:
            self._woken.add(agent_id)
            return
        task = self._tasks[agent_id] = asyncio.create_task(self._turn(agent_id))
        task.add_done_callback(partial(self._end, agent_id))

    async def drain(self, drain_s: float) -> None:
        """Begin nothing any more, let what runs end for so many seconds, then cancel it."""
        self._stop()
        if self._tasks and drain_s:
            await asyncio.wait(list(self._tasks.values()), timeout=drain_s)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel what runs."""
        self._stop()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self) -> None:
        self._is_over = True
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    async def _turn(self, agent_id: str) -> None:
        async with self._free:
            if self._is_over:
                return
            self._woken.discard(agent_id)
            rest_ms = await self._advance(agent_id)
        if rest_ms is not None and rest_ms <= HORIZON_MS and not self._is_over:
            loop = asyncio.get_running_loop()
            self._later[agent_id] = loop.call_later(rest_ms / 1000, self._wake_later, agent_id)

    def _wake_later(self, agent_id: str) -> None:
        self._later.pop(agent_id, None)
        self.wake(agent_id)

    def _end(self, agent_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(agent_id, None)
        if agent_id in self._woken:
            self._woken.discard(agent_id)
            self.wake(agent_id)
