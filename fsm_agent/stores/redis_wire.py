"""A connection on which callers share round trips.

What is asked for in one turn of the loop, or while an earlier trip is on its way, is sent together; a server that
syncs every write then syncs once for all of it. Nobody who waits reads from the socket, so a caller that is cancelled
leaves no answer behind for the next. Nothing is sent twice here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from fsm_agent.stores import redis_errors as errors

Command: TypeAlias = Sequence[str | int]

#: How long the server may leave us waiting for the next answer.
PATIENCE_S: Final = 10.0
#: After how long without a word a connection is tried before it is used: it may be half-open.
IDLE_S: Final = 10.0
#: How many callers share a trip at most: answers lie in memory on both sides.
CROWD: Final = 128


class Unanswered(Exception):  # noqa: N818 - a state of affairs
    """It was sent, and no answer came: whether it was done is unknown."""


class Unsent(Exception):  # noqa: N818
    """It was not sent; the cause is that of this exception."""


class _Asked(NamedTuple):
    packed: Sequence[bytes]
    answers: int
    future: asyncio.Future[list[Any]]


class Wire:
    """One connection, made when it is first needed and again when it breaks."""

    def __init__(self, connect: Callable[[], AbstractConnection], *, patience_s: float = PATIENCE_S) -> None:
        self._connection = connect()
        self._home = (getattr(self._connection, "host", None), getattr(self._connection, "port", None))
        self._patience_s = patience_s
        self._asked: list[_Asked] = []
        self._trips: asyncio.Task[None] | None = None
        self._used_s = 0.0

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, errors of the server among them. Raises ``Unsent`` or ``Unanswered``."""
        packed = [part for command in commands for part in self._connection.pack_command(*command)]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        self._asked.append(_Asked(packed, len(commands), future))
        if self._trips is None:
            self._trips = loop.create_task(self._travel())
        return await future

    def go_to(self, host: str, port: int) -> None:
        """Where a node of a cluster says that the keys are."""
        connection: Any = self._connection
        if (connection.host, connection.port) != (host or connection.host, port):
            connection.host, connection.port = host or connection.host, port
            self._used_s = 0.0
            self._drop()

    async def close(self) -> None:
        while self._trips is not None:
            await asyncio.wait([self._trips])
        await self._connection.disconnect()

    async def _travel(self) -> None:
        try:
            while self._asked:
                crowd, self._asked = self._asked[:CROWD], self._asked[CROWD:]
                await self._trip([each for each in crowd if not each.future.done()])
        finally:
            self._trips = None
            for each in self._asked:  # the loop is shutting down
                each.future.cancel()

    async def _trip(self, crowd: Sequence[_Asked]) -> None:
        try:
            await self._reach()
        except (RedisError, OSError, TimeoutError) as error:
            self._fail(crowd, Unsent(), error)
            return
        try:
            async with asyncio.timeout(self._patience_s) as patience:
                await self._connection.send_packed_command([part for each in crowd for part in each.packed], False)
                for each in crowd:
                    answers = [await self._answer(patience) for _ in range(each.answers)]
                    if not each.future.done():
                        each.future.set_result(answers)
        except (RedisError, OSError, TimeoutError, UnicodeDecodeError) as error:
            self._drop()
            self._fail(crowd, Unanswered(), error)
        finally:
            for each in crowd:
                each.future.cancel()  # does nothing to one that is done
        self._used_s = asyncio.get_running_loop().time()
