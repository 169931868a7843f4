"""The activity of Temporal that advances one agent, and what it leaves running here."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from fsm_agent.engines.base import Advance
from fsm_agent.engines.temporal.dispatch import ACTIVITY, HEARTBEAT, NEVER

_BEATS: Final = 3


class Turns:
    """Advances agents for one worker, until ``stopped`` is set.

    An activity may end before the turn that it began: after an outage Temporal gives it to another worker. The turn
    goes on all the same, since the agent's lease and not Temporal says who drives it.
    """

    def __init__(self, advance: Advance, stopped: asyncio.Event) -> None:
        self._advance = advance
        self._stopped = stopped
        self._running: dict[str, asyncio.Task[int | None]] = {}

    @activity.defn(name=ACTIVITY)
    async def advance(self, agent_id: str) -> int:
        """Milliseconds until the agent needs somebody again."""
        beating = asyncio.create_task(_beat())
        try:
            rest_ms = await asyncio.shield(self._turn(agent_id))
        except asyncio.CancelledError:
            if self._stopped.is_set():
                raise _given_back() from None
            raise
        finally:
            beating.cancel()
        return NEVER if rest_ms is None else rest_ms

    def _turn(self, agent_id: str) -> asyncio.Task[int | None]:
        """The turn of an agent: the one that runs here, or a new one."""
        if agent_id in self._running:
            return self._running[agent_id]
        if self._stopped.is_set():
            raise _given_back()
        task = self._running[agent_id] = asyncio.ensure_future(self._advance(agent_id))
        task.add_done_callback(lambda _: self._running.pop(agent_id, None))
        return task

    async def end(self) -> None:
        """Cancel what runs here."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _beat() -> None:
    """Tell Temporal that this worker lives."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(HEARTBEAT.total_seconds() / _BEATS)


def _given_back() -> ApplicationError:
    """Lets another worker have the agent, and is no failure that anybody must look at."""
    return ApplicationError("this worker stops", category=ApplicationErrorCategory.BENIGN)
