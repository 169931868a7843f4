"""A bell that is heard over a connection to a server. All who listen in a store share the connection, and while nobody
does there is none. It is made again when it is lost; what rang meanwhile nobody knows, so whoever listens is called."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from fsm_agent.errors import StoreError

logger = logging.getLogger("fsm_agent")

#: how long it waits before it connects again: twice as long each time, up to the second
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class ServerBell(ABC):
    """Calls whoever listens at each ring."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_heard = False
        self._is_closed = False

    @abstractmethod
    async def _hear(self) -> Exception:
        """Connect, call ``_ring`` when that is done and at each ring, and return why there is no connection any more.
        Raises ``StoreError`` if the server refuses to be listened to."""

    @abstractmethod
    def _told(self, error: Exception) -> StoreError:
        """The error that ``_hear`` has returned, in our words."""

    @abstractmethod
    def _closed(self) -> StoreError:
        """Tells that the store is closed."""

    async def listen(self, heard: Callable[[], None]) -> None:
        """See ``Store.listen``. Waits for a server that is away; one that refuses to be listened to is a
        ``StoreError``."""
        if self._is_closed:
            raise self._closed()
        self._listeners.append(heard)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._stay_connected())
            elif self._is_heard:
                heard()
            task = self._task
            await asyncio.wait([task])  # who is cancelled here takes nobody along
            if task.cancelled():
                raise self._closed()
            task.result()
        finally:
            self._listeners.remove(heard)
            if not self._listeners:
                await self._stop()

    async def close(self) -> None:
        """Whoever still listens is told that the store is closed."""
        self._is_closed = True
        await self._stop()

    async def _stop(self) -> None:
        task, self._task, self._is_heard = self._task, None, False
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # is looked at: whoever listens has heard it

    async def _stay_connected(self) -> None:
        """Connect again whenever the connection is lost, and tell once of each outage."""
        failed = 0
        while True:
            lost = await self._hear()
            if self._is_heard or not failed:
                failed = 0
                text = "the bell is not heard, and until it is workers only look from time to time: %s"
                logger.warning(text, self._told(lost), extra={"action": "bell_lost"})
            self._is_heard = False
            # by chance, so that not all come back at once
            pause_s = min(_FIRST_PAUSE_S * 2 ** min(failed, 9), _LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311
            failed += 1
            await asyncio.sleep(pause_s)

    def _ring(self) -> None:
        """Call whoever listens."""
        self._is_heard = True
        for heard in list(self._listeners):
            heard()
