"""The bell of a namespace: a message on a channel of the server, heard on a connection that does nothing else.

In a cluster each node tells all the others, so it does not matter which of them is listened to. What rings while nobody
is connected is lost: so whoever listens again is called once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from fsm_agent.stores.redis import errors
from fsm_agent.stores.redis.address import Address
from fsm_agent.stores.redis.connection import PATIENCE_S

logger = logging.getLogger("fsm_agent")

#: after how long without a word the connection is tried: it may be half-open
SILENCE_S: Final = 30.0
#: how long to wait before connecting again: twice as long each time, up to the second
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0

#: what a connection that is lost, or cannot be made, raises
_LOST: Final = (RedisError, OSError, ValueError)


class Bell:
    """Tells of each ring on ``channel``. All who listen share a connection; while nobody does there is none."""

    def __init__(self, address: Address, channel: str) -> None:
        self._address = address
        self._channel = channel
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_heard = False
        self._is_closed = False

    async def listen(self, heard: Callable[[], None]) -> None:
        """See ``Store.listen``. Waits for a server that is away; one that refuses to be listened to is a
        ``StoreError``."""
        if self._is_closed:
            raise errors.closed(self._address.url)
        self._listeners.append(heard)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._stay_connected())
            elif self._is_heard:
                heard()
            task = self._task
            await asyncio.wait([task])  # who is cancelled here takes nobody along
            if task.cancelled():
                raise errors.closed(self._address.url)
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
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # is looked at: whoever listens has heard it

    async def _stay_connected(self) -> None:
        """Connect again whenever the connection is lost."""
        failed = 0
        while True:
            connection = self._address.connect()
            try:
                why = await self._subscribe(connection)
                if why is None:
                    failed = 0
                    await self._hear(connection)
                elif not failed:
                    self._warn(why)
            finally:
                await connection.disconnect(nowait=True)
            # by chance, so that not all come back at once
            pause_s = min(_FIRST_PAUSE_S * 2 ** min(failed, 9), _LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311
            failed += why is not None
            await asyncio.sleep(pause_s)

    async def _hear(self, connection: Any) -> None:
        """Tell of each ring, and first of all that nobody knows what has rung before; ends with the connection."""
        self._is_heard = True
        try:
            self._call()
            while await _has_rung(connection):
                self._call()
        finally:
            self._is_heard = False

    def _call(self) -> None:
        for heard in list(self._listeners):
            heard()

    async def _subscribe(self, connection: Any) -> Exception | None:
        """Why the server cannot be listened to now; ``None`` if it is."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await connection.connect()
                await connection.send_command("SUBSCRIBE", self._channel, check_health=False)
                await connection.read_response()
        except (AuthenticationError, ResponseError) as error:
            raise errors.answered(error, self._address.url) from error
        except _LOST as error:
            return error
        return None

    def _warn(self, error: Exception) -> None:
        text = "the bell is not heard, and until it is workers only look from time to time: %s"
        why = errors.unreachable(error, self._address.url)
        logger.warning(text, why, extra={"action": "bell_lost"})


async def _has_rung(connection: Any) -> bool:
    """True at the next ring; False once the connection is lost."""
    word: Any = None
    try:
        while word is None or word[0] != "message":
            word = await connection.read_response(timeout=SILENCE_S)
            if word is None:
                await connection.send_command("PING", check_health=False)
                word = await connection.read_response(timeout=PATIENCE_S)
                if word is None:
                    return False
    except _LOST:
        return False
    return True
