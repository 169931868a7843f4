"""``celery+redis://``: a worker of ours that reads what Celery carries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, Self, TypeVar

from fsm_agent.engines.agent_tasks import AgentTasks
from fsm_agent.engines.base import Advance, Engine
from fsm_agent.engines.celery.messages import new_app
from fsm_agent.engines.celery.receiver import Receiver, ping
from fsm_agent.engines.celery.wakeups import CeleryWakeups
from fsm_agent.errors import EngineUnavailable
from fsm_agent.runtime.wakeups import OutageLog, Wakeups
from fsm_agent.stores.urls import without_password

Result = TypeVar("Result")

#: How long after a broker was lost it is tried again.
_AGAIN_S: Final = 5


class CeleryEngine(Engine):
    """See the module. Several workers share a queue, and each message goes to one of them."""

    def __init__(self, broker: str, namespace: str) -> None:
        """``broker`` is a URL as Celery has it, such as ``redis://localhost:6379/0``."""
        self.url = f"celery+{without_password(broker)}"
        self._broker = broker
        self._namespace = namespace
        self._app = new_app()
        self._wakeups: CeleryWakeups | None = None
        self._outage = OutageLog(f"engine {self.url} does not serve, and the sweep goes on")

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        return cls(url.removeprefix("celery+"), namespace)

    async def connect(self) -> None:
        try:
            await asyncio.to_thread(ping, self._app, self._broker)
        except Exception as error:
            raise EngineUnavailable(self.url, str(error)) from error

    def wakeups(self) -> Wakeups:
        if self._wakeups is None:
            self._wakeups = CeleryWakeups(self._app, namespace=self._namespace, broker=self._broker)
        return self._wakeups

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        """A broker that is lost is tried again here: what works goes on meanwhile."""
        tasks = AgentTasks(advance, at_once=at_once)
        stopping = asyncio.create_task(stopped.wait())
        try:
            while not stopped.is_set():
                try:
                    await self._receive(tasks, at_once, stopping)
                except Exception as error:
                    self._outage.begins(error)
                    await asyncio.wait([stopping], timeout=_AGAIN_S)
            await tasks.drain(drain_s)
        finally:
            stopping.cancel()
            await tasks.cancel()

    async def _receive(self, tasks: AgentTasks, at_once: int, stopping: asyncio.Task[bool]) -> None:
        """Take a message whenever there is a place for its agent."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="fsm-agent celery")
        receiver = await _in(thread, partial(Receiver, self._app, self._namespace, broker=self._broker))
        self._outage.ends()
        take = partial(receiver.next, stopping.done)
        try:
            while not stopping.done():
                if len(tasks.at_work) >= at_once:
                    await asyncio.wait([stopping, *tasks.at_work], return_when=asyncio.FIRST_COMPLETED)
                elif (agent_id := await _in(thread, take)) is not None:
                    tasks.wake(agent_id)
        finally:
            with suppress(Exception):  # what was lost cannot be closed
                await _in(thread, receiver.close)

    async def close(self) -> None:
        if self._wakeups is not None:
            self._wakeups.close()
        self._app.close()


async def _in(thread: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(thread, call)
