"""How a worker is served by an engine: beside its sweep, which drives whatever no wake-up has come for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

from fsm_agent.engines.base import Engine, advance
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import OutageLog

#: How long after an engine has ended by itself it is tried again.
_AGAIN_S: Final = 5


async def serve_engine(
    engine: Engine, runner: Runner, *, at_once: int, stopped: asyncio.Event, drain_s: float = 0
) -> None:
    """Drive agents that are woken through ``engine``, until ``stopped`` is set and what runs has ended.

    An engine that is away is tried again, with one warning a minute. ``runner`` begins no action any more once
    ``stopped`` is set.
    """
    outage = OutageLog(f"engine {engine.url} does not serve, and the sweep goes on")
    draining = asyncio.create_task(_drain(runner, stopped))
    try:
        while not stopped.is_set():
            try:
                await engine.serve(partial(advance, runner), at_once=at_once, stopped=stopped, drain_s=drain_s)
            except Exception as error:
                outage.begins(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    await stopped.wait()
    finally:
        draining.cancel()


async def _drain(runner: Runner, stopped: asyncio.Event) -> None:
    await stopped.wait()
    runner.drain()
