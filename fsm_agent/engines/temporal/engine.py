"""Temporal as an engine: it carries wake-ups, keeps timers that are near, and tries again when a worker has died."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final, Self

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.worker import Worker
from temporalio.workflow import NondeterminismError

from fsm_agent.engines.base import HORIZON_MS, Advance, Engine
from fsm_agent.engines.temporal.connection import Connection, told
from fsm_agent.engines.temporal.dispatch import SIGNAL, WORKFLOW, Dispatch
from fsm_agent.engines.temporal.turns import Turns
from fsm_agent.errors import EngineUnavailable
from fsm_agent.runtime.wakeups import WAKE_S, OutageLog, SentWakeups, Wakeups

#: After so long another worker takes over the workflows that a dead one had in its cache.
_STICKY: Final = timedelta(seconds=2)
#: How often it is looked whether the server answers.
_WATCH_S: Final = 10
#: How long the end of what was cancelled is waited for.
_END_S: Final = 5


class TemporalEngine(Engine):
    """The URL is ``temporal://HOST:PORT/NAMESPACE``; see ``connection.Place``."""

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self._namespace = namespace
        self._connection = Connection(url)

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        return cls(url, namespace)

    async def connect(self) -> None:
        await self._connection.check()

    def wakeups(self) -> Wakeups:
        return TemporalWakeups(self._connection, self._namespace)

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        turns = Turns(advance, stopped)
        worker = Worker(
            await self._connection.client(),
            task_queue=task_queue(self._namespace),
            workflows=[Dispatch],
            activities=[turns.advance],
            max_concurrent_activities=at_once,
            sticky_queue_schedule_to_start_timeout=_STICKY,
            graceful_shutdown_timeout=timedelta(seconds=drain_s),
            # a dispatcher of another version ends, and the next wake-up starts one of this version
            workflow_failure_exception_types=[NondeterminismError],
        )
        running, watching = asyncio.create_task(worker.run()), asyncio.create_task(self._watch())
        try:
            await _first_of(running, stopped)
            if running.done():
                await running
            await _shut_down(worker, running, drain_s)
        except Exception as error:
            raise EngineUnavailable(self.url, told(error)) from error
        finally:
            watching.cancel()
            await turns.end()
            await _ended(running)

    async def _watch(self) -> None:
        """Say it, once a minute, while the server does not answer."""
        outage = OutageLog(f"a worker is not told by {self.url} who is due, and its sweep goes on")
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                await self._connection.check()
            except EngineUnavailable as error:
                outage.begins(error)
            else:
                outage.ends()


class TemporalWakeups(SentWakeups):
    """Starts the workflow that sees to an agent, or tells the one that runs."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        super().__init__(connection.url)
        self._connection = connection
        self._namespace = namespace

    async def send(self, agent_id: str, at_ms: int | None) -> None:
        if at_ms is not None and at_ms - time.time() * 1000 > HORIZON_MS:
            return  # the sweep finds it then
        client = await self._connection.client()
        await client.start_workflow(
            WORKFLOW,
            agent_id,
            id=f"fsm-agent/{self._namespace}/{agent_id}",
            task_queue=task_queue(self._namespace),
            start_signal=SIGNAL,
            start_signal_args=[at_ms or 0],
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            rpc_timeout=timedelta(seconds=WAKE_S),
        )


def task_queue(namespace: str) -> str:
    """Where workers of a namespace look for agents."""
    return f"fsm-agent/{namespace}"


async def _first_of(running: asyncio.Task[None], stopped: asyncio.Event) -> None:
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


async def _shut_down(worker: Worker, running: asyncio.Task[None], drain_s: float) -> None:
    """Take nothing any more, and let what runs end in time, even if the server is away."""
    ending = asyncio.create_task(worker.shutdown())
    try:
        await asyncio.wait({running}, timeout=drain_s + _END_S)
    finally:
        ending.cancel()


async def _ended(running: asyncio.Task[None]) -> None:
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=_END_S)
    if running.done() and not running.cancelled():
        running.exception()  # it is told where it was awaited
