"""Jobs of Procrastinate drive agents: ``python -m examples.engines.procrastinate_jobs postgresql://localhost/agents``.

The queue lives in PostgreSQL, and so may the agents, in the same database. An agent has one waiting job at most.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued

from examples.engines.agents import VISIT, work
from fsm_agent import Runner, Worker, open_store
from fsm_agent.engines import SentWakeups, advance

QUEUE = "fsm-agent"


class JobWakeups(SentWakeups):
    """Defers a job, unless one waits already."""

    def __init__(self, app: App) -> None:
        super().__init__("Procrastinate")
        self._app = app

    async def send(self, agent_id: str, at_ms: int | None) -> None:
        if at_ms is None:  # else the sweep finds it in time
            job = self._app.configure_task("advance", queue=QUEUE, queueing_lock=agent_id)
            with suppress(AlreadyEnqueued):
                await job.defer_async(agent_id=agent_id)


def add_task(app: App, runner: Runner) -> None:
    """No job is tried again: the sweep finds whoever is lost with it."""

    @app.task(name="advance", queue=QUEUE)
    async def advance_agent(agent_id: str) -> None:
        await advance(runner, agent_id)


@asynccontextmanager
async def open_app(url: str) -> AsyncGenerator[App]:
    """The queue, whose tables are made if there are none."""
    async with App(connector=PsycopgConnector(conninfo=url)).open_async() as app:
        found = await app.connector.execute_query_one_async("SELECT to_regclass('procrastinate_jobs') AS jobs")
        if found["jobs"] is None:
            await app.schema_manager.apply_schema_async()
        yield app


async def main(url: str) -> None:
    async with open_app(url) as app, Runner(open_store(url), actions=[work], wakeups=JobWakeups(app)) as runner:
        add_task(app, runner)
        stopped = asyncio.Event()
        sweep = asyncio.create_task(Worker(runner, every=timedelta(seconds=5)).run(stopped, drain_s=30))
        for number in range(10):
            await runner.start(VISIT, "go", id=f"visit-{number}", drive=False)
        await app.run_worker_async(queues=[QUEUE], concurrency=100, delete_jobs="always", shutdown_graceful_timeout=30)
        stopped.set()
        await sweep


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
