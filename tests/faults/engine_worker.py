"""A worker with an engine, which will be killed and frozen: ``python -m tests.faults.engine_worker``.

It reads ``STORE``, ``ENGINE``, ``NAMESPACE``, ``FOLDER``, ``LONGEST_S``, ``LEASE_S``, ``EVERY_S`` and ``DRAIN_S``. With
an empty ``ENGINE`` it only looks by itself, and when the store's bell rings.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from fsm_agent.engines import open_engine, serve_engine
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import open_store
from tests.support.payments import actions_in


def sweep_no_more() -> None:
    """The mutant: workers that rely on their engine alone."""

    async def wait(_: Worker, stopped: asyncio.Event, **__: object) -> None:
        await stopped.wait()

    Worker.run = wait  # type: ignore[assignment,method-assign]


async def work() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    namespace = os.environ["NAMESPACE"]
    actions = actions_in(Path(os.environ["FOLDER"]), longest_s=float(os.environ["LONGEST_S"]))
    store = open_store(os.environ["STORE"], namespace=namespace)
    drain_s = float(os.environ["DRAIN_S"])
    async with AsyncExitStack() as opened:
        runner = await opened.enter_async_context(Runner(store, actions=actions, lease_s=float(os.environ["LEASE_S"])))
        worker = Worker(runner, every=timedelta(seconds=float(os.environ["EVERY_S"])))
        services = [worker.run(stopped, drain_s=drain_s)]
        if os.environ["ENGINE"]:
            engine = await opened.enter_async_context(open_engine(os.environ["ENGINE"], namespace=namespace))
            services.append(serve_engine(engine, runner, at_once=8, stopped=stopped, drain_s=drain_s))
        await asyncio.gather(*services)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    if os.environ.get("MUTANT"):
        sweep_no_more()
    asyncio.run(work())
