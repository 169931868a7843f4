"""The bell of a namespace: a message on a channel of the server, heard on a connection that does nothing else.

In a cluster each node tells all the others, so it does not matter which of them is listened to.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from fsm_agent.errors import StoreError
from fsm_agent.stores.bell import ServerBell
from fsm_agent.stores.redis import errors
from fsm_agent.stores.redis.address import Address
from fsm_agent.stores.redis.connection import PATIENCE_S

#: after how long without a word the connection is tried: it may be half-open
SILENCE_S: Final = 30.0

#: what a connection that is lost, or cannot be made, raises
_LOST: Final = (RedisError, OSError, ValueError)


class RedisBell(ServerBell):
    """The rings on ``channel``."""

    def __init__(self, address: Address, channel: str) -> None:
        super().__init__()
        self._address = address
        self._channel = channel

    async def _hear(self) -> Exception:
        connection = self._address.connect()
        try:
            lost = await self._subscribe(connection)
            while lost is None:
                self._ring()
                lost = await _wait_for_ring(connection)
            return lost
        finally:
            await connection.disconnect(nowait=True)

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

    def _told(self, error: Exception) -> StoreError:
        return errors.unreachable(error, self._address.url)

    def _closed(self) -> StoreError:
        return errors.closed(self._address.url)


async def _wait_for_ring(connection: Any) -> Exception | None:
    """``None`` at the next ring; else why the connection is lost."""
    word: Any = None
    try:
        while word is None or word[0] != "message":
            word = await connection.read_response(timeout=SILENCE_S)
            if word is None:
                await connection.send_command("PING", check_health=False)
                word = await connection.read_response(timeout=PATIENCE_S)
                if word is None:
                    return TimeoutError()
    except _LOST as error:
        return error
    return None
