"""Reading from the store of the command line, without a runner."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import click

from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency.blocking import run
from fsm_agent.project.settings import Settings
from fsm_agent.stores.base import Store

Result = TypeVar("Result")


_FILE: Final = "sqlite:///"


def missing_file(url: str) -> str | None:
    """The file of a store that is not there yet, of a tiered one that of its warm store; ``None`` where it is, and
    where the store is no file or cannot be opened anyway."""
    if url.startswith("tiered:"):
        url = url.removeprefix("tiered:").partition(",")[0]
    path = url.removeprefix(_FILE).rstrip("/")
    if path in (url, "") or "\0" in path or not os.path.isdir(os.path.dirname(path) or "."):
        return None
    return None if os.path.exists(path) else path


def open_to_look(settings: Settings) -> Store:
    """The store, to be read. Looking makes no file: where there is none, that is said, and the store is empty."""
    file = missing_file(settings.store)
    if file is None:
        return settings.open_store()
    from fsm_agent.stores.urls import open_store, without_password

    named = without_password(f"{_FILE}{file}").removeprefix(_FILE)
    click.echo(f"there are no agents here yet: no file {named}", err=True)
    return open_store("memory://", namespace=settings.namespace)


def look(settings: Settings, read: Callable[[Store], Awaitable[Result]], *, creates: bool = False) -> Result:
    """What ``read`` finds in the store, or with ``creates`` writes there."""

    async def within() -> Result:
        async with settings.open_store() if creates else open_to_look(settings) as store:
            if store.needs_loop:
                await event_loop.reach()
            return await read(store)

    return run(within())
