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
from redis.exceptions import RedisError, ResponseError

Command: TypeAlias = Sequence[str | int]

#: How long the server may leave us waiting for the next answer.
PATIENCE_S: Final = 10.0
#: After how long without a word a connection is tried before it is used: it may be half-open.
IDLE_S: Final = 10.0
#: How many callers share a trip at most: answers lie in memory on both sides.
CROWD: Final = 128


class Unanswered(Exception):
    """It was sent, and no answer came: whether it was done is unknown."""


class Unsent(Exception):
    """It was not sent; the cause is that of this exception."""


class _Asked(NamedTuple):
    packed: Sequence[bytes]
    answers: int
    future: asyncio.Future[list[Any]]


class Wire:
    """One connection, made when it is first needed and again when it breaks."""

    def __init__(self, connect: Callable[[], AbstractConnection], *, patience_s: float = PATIENCE_S) -> None:
        self._connection: Any = connect()
        self._patience_s = patience_s
        self._home = self._node
        #: where the next trip goes
        self._goal = self._home
        self._asked: list[_Asked] = []
        self._trips: asyncio.Task[None] | None = None
        self._used_s = 0.0

    @property
    def _node(self) -> tuple[str, int]:
        return (getattr(self._connection, "host", ""), getattr(self._connection, "port", 0))

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
        """From the next trip on, ask the node of a cluster that has the keys; an empty host is the present one."""
        self._goal = (host or self._node[0], port)

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
            for each in self._asked:  # only where the loop shuts down
                each.future.cancel()

    async def _trip(self, crowd: Sequence[_Asked]) -> None:
        kind: type[Exception] = Unsent
        try:
            await self._reach()
            kind = Unanswered
            await self._exchange(crowd)
        except (RedisError, OSError, UnicodeDecodeError) as error:
            await self._connection.disconnect(nowait=True)
            self._goal = self._home
            for each in crowd:
                if not each.future.done():
                    failure = kind()
                    failure.__cause__ = error
                    each.future.set_exception(failure)
        except BaseException:
            await self._connection.disconnect(nowait=True)
            for each in crowd:
                each.future.cancel()
            raise

    async def _exchange(self, crowd: Sequence[_Asked]) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience_s) as patience:
            packed = [part for each in crowd for part in each.packed]
            await self._connection.send_packed_command(packed, check_health=False)
            for each in crowd:
                answers = []
                for _ in range(each.answers):
                    answers.append(await self._answer())
                    patience.reschedule(loop.time() + self._patience_s)
                if not each.future.done():
                    each.future.set_result(answers)
        self._used_s = loop.time()

    async def _answer(self) -> Any:
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except RedisError as error:
            if isinstance(error, ResponseError) or error.status_code:
                return error  # it is what the server said
            raise

    async def _reach(self) -> None:
        """Be connected to where we are going. What was closed or went silent meanwhile is found before it is used."""
        async with asyncio.timeout(self._patience_s):
            connection = self._connection
            if self._goal != self._node:
                await connection.disconnect(nowait=True)
                connection.host, connection.port = self._goal
            if connection.is_connected and not await self._is_alive():
                await connection.disconnect(nowait=True)
            if not connection.is_connected:
                await connection.connect()

    async def _is_alive(self) -> bool:
        try:
            if await self._connection.can_read():  # nothing should be there: it is the end, or somebody else's answer
                return False
            if asyncio.get_running_loop().time() - self._used_s > IDLE_S:
                async with asyncio.timeout(self._patience_s / 4):
                    await self._connection.send_command("PING", check_health=False)
                    await self._connection.read_response()
        except (RedisError, OSError):
            return False
        return True
