"""What serves the agents of one namespace: a runner, a worker that drives them, and a feed of their changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from time import monotonic
from typing import Final

from fsm_agent.domain.agent import Agent, Head, Status
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowUnknown
from fsm_agent.project.defaults import DEFAULT_DRAIN_S
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.server.diagrams import Drawings
from fsm_agent.server.feed import Feed
from fsm_agent.server.histories import Histories
from fsm_agent.server.question_feed import QuestionFeed
from fsm_agent.server.statistics import Statistics
from fsm_agent.server.step_pages import StepPages

logger = logging.getLogger("fsm_agent")

#: seconds that a page waits for what an agent does next, so as to tell of it
A_MOMENT_S: Final = 0.3


class Service:
    """The agents of one namespace."""

    def __init__(
        self,
        namespace: str,
        make_runner: Callable[[Callable[[Head], None]], Runner],
        workflows: Mapping[str, Workflow],
        *,
        drives: bool = True,
        drain_s: float = DEFAULT_DRAIN_S,
        retention: Retention | None = None,
    ) -> None:
        """``make_runner`` is given what is to be told of each head. ``workflows`` are those that may be started, by
        name. Without ``drives`` other processes drive the agents, and apply the ``retention``. When it stops, actions
        may go on for ``drain_s`` seconds."""
        self.namespace = namespace
        self.workflows = workflows
        self.feed = Feed()
        self.questions = QuestionFeed()
        self.runner = make_runner(self._observe)
        self.worker = Worker(self.runner, retention=retention) if drives else None
        self.pages = StepPages(self.runner.store)
        self.statistics = Statistics(self.runner.store, workflows)
        self.drawings = Drawings()
        self.histories = Histories(self.runner.store)
        self.drain_s = drain_s
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        #: those of them that only tell, and have nothing to finish
        self._feeding: list[asyncio.Task[None]] = []
        #: of the step that this process has committed last
        self._committed: Head | None = None

    @property
    def is_well(self) -> bool:
        """Whether all that should run does."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    @property
    def at_work(self) -> int:
        """How many agents are driven now."""
        return self.worker.at_work if self.worker is not None else 0

    def begin(self) -> None:
        """Begin to drive, and to look for changes."""
        self._feeding = [
            self._go(self.feed.run(self.runner.store), "nobody is told of new steps"),
            self._go(self.questions.run(self.runner.store), "nobody is told of new questions"),
        ]
        if self.worker is not None:
            self._go(self.worker.run(self._stopped, drain_s=self.drain_s), "nobody drives agents")

    def _observe(self, head: Head) -> None:
        self._committed = head
        self.feed.observe(head)
        self.questions.observe(head)

    def _go(self, work: Coroutine[None, None, None], without: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(partial(self._tell_end, without))
        self._tasks.append(task)
        return task

    def _tell_end(self, without: str, task: asyncio.Task[None]) -> None:
        """Log what has failed, since nobody awaits it before the end."""
        if not task.cancelled() and (error := task.exception()) is not None:
            facts = {"action": "service_failed", "namespace": self.namespace}
            logger.error("namespace %s: %s: %s", self.namespace, without, error, exc_info=error, extra=facts)

    def stop(self) -> None:
        """End the streams, and begin no more work."""
        self.feed.close()
        self.questions.close()
        self._stopped.set()

    async def end(self) -> None:
        """Stop, let what works finish for a while, and close the store."""
        self.stop()
        if self._tasks:
            for task in self._feeding:
                task.cancel()
            _, late = await asyncio.wait(self._tasks, timeout=self.drain_s + 1)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runner.close()

    def startable(self, name: str) -> Workflow:
        """The workflow of this name, as it may be started; raises ``WorkflowUnknown``."""
        if name not in self.workflows:
            raise WorkflowUnknown(name, self.workflows)
        return self.workflows[name]

    async def go_on(self, agent: Agent, wait_s: float = 0) -> Agent:
        """Have an agent driven on, and wait up to ``wait_s`` seconds until it needs no work any more. Returns it as it
        is then, with its delivery."""
        if self.worker is not None and not self._is_at_rest(agent):
            self.worker.nudge(agent.id)
        if not wait_s or agent.status is not Status.RUNNING:
            return agent
        until_s = monotonic() + wait_s
        with self.feed.watch(agent.id) as watch:
            while (left_s := until_s - monotonic()) > 0 and not self.feed.is_closed:
                now = await self.runner.get(agent.id)
                if now.status is not Status.RUNNING:
                    return now._replace(delivery=agent.delivery)
                await watch.change(left_s)
        return (await self.runner.get(agent.id))._replace(delivery=agent.delivery)

    def _is_at_rest(self, agent: Agent) -> bool:
        """Whether the step that has just delivered an event has left nothing to do. If that is not known for sure, a
        worker finds out."""
        head = self._committed
        if head is None or (head.id, head.version) != (agent.id, agent.version) or agent.delivery != "applied":
            return False
        return not head.queued and (head.wake_ms is None or head.wake_ms > head.updated_ms)
