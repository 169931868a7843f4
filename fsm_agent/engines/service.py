"""How a worker is served by an engine: beside its sweep, which drives whatever no wake-up has come for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final

from fsm_agent.engines.base import Engine, advance
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import OutageLog

#: How long after an engine has ended by itself it is tried again.
_AGAIN_S: Final = 5


async def serve_engine(
    engine: Engine,
    runner: Runner,
    *,
    at_once: int,
    stopped: asyncio.Event,
    drain_s: float = 0,
    cancelled: asyncio.Event | None = None,
    workflows: Collection[str] | None = None,
) -> None:
    """Drive agents that are woken through ``engine``, until ``stopped`` is set and what runs has ended: within
    ``drain_s`` seconds, or when ``cancelled`` is set. ``workflows`` are those whose agents are driven; ``None`` is all.

    An engine that is away is tried again, with one warning a minute. ``runner`` begins no action any more once
    ``stopped`` is set.
    """
    drive = partial(advance, runner, workflows=workflows)
    serve = partial(engine.serve, drive, at_once=at_once, stopped=stopped, drain_s=drain_s)
    serving = asyncio.create_task(_serve_again_and_again(serve, engine.url, stopped))
    draining = asyncio.create_task(_drain(runner, stopped))
    cancelling = asyncio.create_task((cancelled or asyncio.Event()).wait())
    try:
        await asyncio.wait((serving, cancelling), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (serving, draining, cancelling):
            task.cancel()
        await asyncio.wait((serving, draining, cancelling))


async def _serve_again_and_again(serve: Callable[[], Awaitable[None]], url: str, stopped: asyncio.Event) -> None:
    outage = OutageLog(f"engine {url} does not serve, and the sweep goes on")
    while not stopped.is_set():
        try:
            await serve()
        except Exception as error:
            outage.begins(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S):
                await stopped.wait()


async def _drain(runner: Runner, stopped: asyncio.Event) -> None:
    await stopped.wait()
    runner.drain()
