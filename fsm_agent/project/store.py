"""Reading from the store of the command line, without a runner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency.blocking import run
from fsm_agent.project.settings import Settings
from fsm_agent.stores.base import Store

Result = TypeVar("Result")


def look(settings: Settings, read: Callable[[Store], Awaitable[Result]]) -> Result:
    """What ``read`` finds in the store."""

    async def within() -> Result:
        async with settings.open_store() as store:
            if store.needs_loop:
                await event_loop.reach()
            return await read(store)

    return run(within())
