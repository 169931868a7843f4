"""The bell of a namespace: PostgreSQL's LISTEN, on a connection of its own that is made again when it is lost.

It is no part of the pool, whose connections wait for nothing but answers. All who listen in a store share it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable
from typing import Final

import psycopg

from fsm_agent.stores.postgres.errors import connecting_error, statement_error
from fsm_agent.stores.postgres.pool import Address

logger = logging.getLogger("fsm_agent")

#: how long it waits before it connects again: twice as long each time, up to the second
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0


def channel_of(namespace: str) -> str:
    """The name of a channel, which PostgreSQL wants to be shorter and plainer than a namespace may be."""
    return f"fsm_agent_{hashlib.sha256(namespace.encode()).hexdigest()[:40]}"


class Bell:
    """Calls whoever listens at each ring on ``channel``. Nothing is connected to while nobody does."""

    def __init__(self, address: Address, channel: str, *, patience_ms: int) -> None:
        self._address = address
        self._channel = channel
        self._patience_ms = patience_ms
        self._listeners: list[Callable[[], None]] = []
        self._is_heard = False
        self._task: asyncio.Task[None] | None = None

    async def listen(self, heard: Callable[[], None]) -> None:
        """See ``Store.listen``."""
        self._listeners.append(heard)
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._stay_connected())
            elif self._is_heard:
                heard()
            await asyncio.shield(self._task)
        finally:
            self._listeners.remove(heard)
            if not self._listeners:
                await self._stop()

    async def _stop(self) -> None:
        task, self._task, self._is_heard = self._task, None, False
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _stay_connected(self) -> None:
        wait_s = 0.0
        while True:
            try:
                await self._hear()
            except psycopg.Error as error:
                if self._is_heard or not wait_s:
                    wait_s = _FIRST_WAIT_S
                    self._warn(error)
            self._is_heard = False
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - so that not all come back at once
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _hear(self) -> None:
        """Tell of each ring, and first of all that nobody knows what has rung before; raises when the connection is
        lost."""
        options = self._address.options(self._patience_ms)
        connection = await psycopg.AsyncConnection.connect(**options, autocommit=True)
        try:
            await connection.execute(f"LISTEN {self._channel}".encode())
            self._is_heard = True
            self._call()
            async for _ in connection.notifies():
                self._call()
        finally:
            await connection.close()

    def _call(self) -> None:
        for heard in list(self._listeners):
            heard()

    def _warn(self, error: psycopg.Error) -> None:
        url, password = self._address.url, self._address.password
        lost = statement_error(error, url, may_have_written=False)
        why = lost if self._is_heard else connecting_error(error, url, password)
        text = "the bell is not heard, and until it is workers only look from time to time: %s"
        logger.warning(text, why, extra={"action": "bell_lost"})
