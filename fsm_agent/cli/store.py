"""The store of a command that needs no runner."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import click

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency.sync_driver import run
from fsm_agent.errors import AgentNotFound
from fsm_agent.stores.base import Store

Result = TypeVar("Result")

_FILE: Final = "sqlite:///"


def missing_file(url: str) -> str | None:
    """The missing file of a store (for a tiered store, of its warm store). ``None`` if the file exists, or if the store
    has no file or cannot be opened anyway."""
    if url.startswith("tiered:"):
        url = url.removeprefix("tiered:").partition(",")[0]
    path = url.removeprefix(_FILE).rstrip("/")
    if path in (url, "") or "\0" in path or not os.path.isdir(os.path.dirname(path) or "."):
        return None
    return None if os.path.exists(path) else path


@asynccontextmanager
async def opened(settings: CommandSettings) -> AsyncGenerator[Store]:
    """The store, for reading. Reading creates no file: a missing store is empty, and a line or the error says so."""
    file = missing_file(settings.store)
    if file is None:
        async with settings.open_store() as store:
            yield store
        return
    from fsm_agent.stores.urls import without_password

    named = without_password(f"{_FILE}{file}").removeprefix(_FILE)
    none = f"there are no agents here yet: no file {named}"
    async with settings.open_store("memory://") as store:
        try:
            yield store
        except AgentNotFound as error:
            error.args = (f"{str(error).partition(';')[0]}; {none}",)
            raise
    click.echo(none, err=True)


def read_store(
    settings: CommandSettings, read: Callable[[Store], Awaitable[Result]], *, creates: bool = False
) -> Result:
    """The result of ``read`` for the store. With ``creates``, ``read`` may also write."""

    async def within() -> Result:
        async with settings.open_store() if creates else opened(settings) as store:
            if store.needs_loop:
                await event_loop.reach()
            return await read(store)

    return run(within())
