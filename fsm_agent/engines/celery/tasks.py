"""For workers that Celery itself runs: a task for its application, and what the process needs for it.

    # tasks.py
    app = Celery("shop", broker="redis://localhost:6379/0")
    drive_agents(app, lambda: Runner(open_store("postgresql://localhost/shop"), actions=[pay]))

    celery -A tasks worker --pool=threads --concurrency=100 -Q fsm-agent.default

Messages are acknowledged when they are read, and no task is tried again: whoever is lost with a worker, the sweep of
another one finds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from celery import Celery, signals
from celery.concurrency import get_implementation
from celery.exceptions import WorkerShutdown
from celery.worker import state

from fsm_agent.engines.base import advance
from fsm_agent.engines.celery.messages import task_name
from fsm_agent.errors import ArgumentInvalid, FsmAgentError
from fsm_agent.project.defaults import DEFAULT_DRAIN_S
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import check_namespace
from fsm_agent.sync.portal import Portal

logger = logging.getLogger("fsm_agent")

#: The pools whose tasks run in the process that has the runner.
_POOLS: Final = ("threads", "solo")


def drive_agents(
    app: Celery,
    open_runner: Callable[[], Runner],
    *,
    namespace: str = "default",
    every: timedelta = timedelta(seconds=5),
    at_once: int = 100,
    drain_s: float = DEFAULT_DRAIN_S,
) -> None:
    """Let the workers of ``app`` drive the agents of a namespace that ``CeleryWakeups`` name in its queue.

    ``open_runner`` is called once in each worker, which must have ``--pool=threads``. Beside the tasks each worker
    looks for due agents ``every`` so often, and drives up to ``at_once`` of those. When it is stopped, what works has
    ``drain_s`` seconds to end.
    """
    check_namespace(namespace)

    def make() -> Service:
        runner = open_runner()
        if (opened := runner.store.namespace) != namespace:
            raise ArgumentInvalid(f"its runner has the agents of namespace {opened!r}, and wake-ups name {namespace!r}")
        return Service(runner, every=every, at_once=at_once, drain_s=drain_s)

    process = _Process(make)
    app.task(process.advance, name=task_name(namespace), acks_late=False, ignore_result=True, max_retries=0)
    signals.worker_init.connect(process.open, weak=False)
    signals.worker_shutting_down.connect(process.stop, weak=False)
    signals.worker_shutdown.connect(process.close, weak=False)


class Service:
    """The one runner of a process, with a worker that sweeps. It is made and used on one event loop."""

    def __init__(self, runner: Runner, *, every: timedelta, at_once: int, drain_s: float) -> None:
        self.stopped = asyncio.Event()
        self._runner = runner
        self._drain_s = drain_s
        self._tasks: set[asyncio.Task[Any]] = set()
        worker = Worker(runner, every=every, at_once=at_once)
        self._sweep = asyncio.create_task(worker.run(self.stopped, drain_s=drain_s))
        self._sweep.add_done_callback(_end_without_sweep)
        self._draining = asyncio.create_task(self._drain())

    async def advance(self, agent_id: str) -> None:
        if self.stopped.is_set():
            return
        task = asyncio.create_task(advance(self._runner, agent_id))
        self._tasks.add(task)
        await asyncio.wait([task])
        self._tasks.discard(task)

    async def close(self) -> None:
        self.stopped.set()
        await asyncio.wait([self._sweep, self._draining])
        await self._runner.close()

    async def _drain(self) -> None:
        """Once it is stopped, let what works end for a while; the worker that sweeps sees to it that nothing begins."""
        await self.stopped.wait()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._drain_s)
        for task in self._tasks:
            task.cancel()


class _Process:
    """What Celery calls, in threads of its own, of a service on the loop of a portal."""

    def __init__(self, make: Callable[[], Service]) -> None:
        self._make = make
        self._portal = Portal()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: Service | None = None

    def open(self, sender: Any, **_: Any) -> None:
        """When a worker of Celery begins. Ends the process if it cannot: Celery would go on without a runner."""
        if not issubclass(get_implementation(sender.pool_cls), tuple(map(get_implementation, _POOLS))):
            raise _refused("agents are driven by threads: start this worker of Celery with --pool=threads")
        try:
            self._portal.call(self._begin())
        except Exception as error:
            what = error if isinstance(error, FsmAgentError) else f"{type(error).__name__}: {error}"
            raise _refused(f"this worker of Celery cannot drive agents: {what}") from error

    def advance(self, agent_id: str) -> None:
        """The task: drive an agent as far as it goes now."""
        if self._service is None:
            raise RuntimeError("a worker of Celery with --pool=threads calls this task, and nobody else")
        self._portal.call(self._service.advance(agent_id))

    def stop(self, **_: Any) -> None:
        """When the worker is told to stop, in a signal handler: begin nothing more."""
        if self._loop is not None and self._service is not None:
            self._loop.call_soon_threadsafe(self._service.stopped.set)

    def close(self, **_: Any) -> None:
        """When the worker has ended."""
        service, self._service = self._service, None
        if service is not None:
            self._portal.call(service.close())
            self._portal.close()

    async def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._service = self._make()


def _end_without_sweep(sweep: asyncio.Task[None]) -> None:
    """A store that is damaged ends the sweep, and a worker without one may not go on."""
    if not sweep.cancelled() and (error := sweep.exception()) is not None:
        logger.error("this worker of Celery ends, since its sweep has: %s", error, exc_info=error)
        state.should_stop = 1


def _refused(sentence: str) -> WorkerShutdown:
    logger.error("%s", sentence)
    return WorkerShutdown(1)
