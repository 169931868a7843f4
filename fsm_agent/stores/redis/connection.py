"""A connection on which callers share round trips.

Who comes when nobody is on the way goes alone, and at once. What others ask for meanwhile is sent together when that
trip is over; a server that syncs every write then syncs once for all of it. A caller that is cancelled leaves no answer
behind for the next: either somebody else reads it, or the connection is closed. Nothing is sent twice here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as NotServed
from redis.exceptions import RedisError, ResponseError

from fsm_agent.stores.redis.resp import Command, pack
from fsm_agent.stores.redis.stream import AnswerStream

#: How long the server may leave us waiting for the next answer.
PATIENCE_S: Final = 10.0
#: After how long without a word a connection is tried before it is used: it may be half-open.
IDLE_S: Final = 10.0
#: How many callers share a trip at most: answers lie in memory on both sides.
CROWD: Final = 128


class Unanswered(Exception):
    """The request was sent, and no answer came: whether it was done is unknown."""


class Unsent(Exception):
    """The request was not sent; this exception has the cause."""


@dataclass(slots=True, eq=False)
class _Asked:
    """What a caller asks for, and what came of it."""

    packed: bytes
    expected: int
    #: of a caller that does not travel itself
    future: asyncio.Future[list[Any]] | None = None
    answers: list[Any] | None = None
    failure: Exception | None = None

    def answer(self, answers: list[Any]) -> None:
        self.answers = answers
        if self.future is not None and not self.future.done():
            self.future.set_result(answers)

    def fail(self, failure: Exception, cause: Exception) -> None:
        if self.answers is None:
            failure.__cause__ = cause
            self.failure = failure
            if self.future is not None and not self.future.done():
                self.future.set_exception(failure)


class Wire:
    """One connection, made when it is first needed and again when it breaks."""

    def __init__(self, connect: Callable[[], AbstractConnection]) -> None:
        self._connection: Any = connect()
        self._home = self._place = (getattr(self._connection, "host", ""), getattr(self._connection, "port", 0))
        #: where the next trip goes
        self._goal = self._home
        self._stream: AnswerStream | None = None
        self._asked: list[_Asked] = []
        self._is_busy = False
        self._tour: asyncio.Task[None] | None = None
        self._used_s = 0.0

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, errors of the server among them. Raises ``Unsent`` or ``Unanswered``."""
        asked = _Asked(b"".join(map(pack, commands)), len(commands))
        if self._is_busy:
            asked.future = asyncio.get_running_loop().create_future()
            self._asked.append(asked)
            return await asked.future
        self._is_busy = True
        try:
            await self._trip([asked])
        finally:
            self._go_on()
        if asked.failure is not None:
            raise asked.failure
        return asked.answers or []

    def go_to(self, host: str, port: int) -> None:
        """From the next round trip on, ask the node of the cluster that has the keys; no host is the present one."""
        self._goal = (host or self._place[0], port)

    async def close(self) -> None:
        """Waits for those who are on their way."""
        if self._is_busy:
            over: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
            self._asked.append(_Asked(b"", 0, over))
            await asyncio.wait([over])
            over.exception()  # is looked at: whoever asked before has heard it
        while self._tour is not None:
            await asyncio.wait([self._tour])
        await self._connection.disconnect()

    def _go_on(self) -> None:
        """After a trip: serve those who came meanwhile, or be free."""
        self._is_busy = bool(self._asked)
        self._tour = asyncio.get_running_loop().create_task(self._serve()) if self._asked else None

    async def _serve(self) -> None:
        try:
            while self._asked:
                crowd, self._asked = self._asked[:CROWD], self._asked[CROWD:]
                await self._trip([each for each in crowd if each.future and not each.future.done()])
                await asyncio.sleep(0)  # who was served may ask again at once, and all of them together
        except BaseException:  # the loop shuts down
            for each in self._asked:
                if each.future is not None:
                    each.future.cancel()
            self._asked = []
            raise
        finally:
            self._go_on()

    async def _trip(self, crowd: Sequence[_Asked]) -> None:
        kind: type[Exception] = Unsent
        try:
            stream = await self._ready() or await self._connect()
            kind = Unanswered
            await self._exchange(stream, crowd)
        except (RedisError, OSError, ValueError) as error:
            await self._disconnect()
            self._goal = self._home
            for each in crowd:
                each.fail(kind(), error)
        except BaseException:
            await self._disconnect()
            for each in crowd:
                if each.future is not None:
                    each.future.cancel()
            raise

    async def _exchange(self, stream: AnswerStream, crowd: Sequence[_Asked]) -> None:
        answers: list[Any] = []
        request, expected = b"".join([each.packed for each in crowd]), sum([each.expected for each in crowd])
        try:
            await stream.exchange(request, expected, answers, patience_s=PATIENCE_S)
        finally:
            self._used_s = asyncio.get_running_loop().time()
            for each in crowd:
                if len(answers) < each.expected:  # it broke off here
                    break
                each.answer(answers[: each.expected])
                del answers[: each.expected]

    async def _ready(self) -> AnswerStream | None:
        """What leads where we are going, if anything does. What ended or went silent is found before it is used."""
        stream = self._stream
        if stream is None or not stream.is_open or self._goal != self._place:
            return None
        if asyncio.get_running_loop().time() - self._used_s > IDLE_S:
            try:
                await stream.exchange(pack(("PING",)), 1, [], patience_s=PATIENCE_S / 4)
            except (RedisError, OSError, ValueError):
                return None
        return stream

    async def _connect(self) -> AnswerStream:
        async with asyncio.timeout(PATIENCE_S):
            await self._disconnect()
            if self._goal != self._place:
                self._connection.host, self._connection.port = self._place = self._goal
            await self._connection.connect()
            await self._try_out()
            self._stream = AnswerStream(self._connection)
            return self._stream

    async def _try_out(self) -> None:
        """Or a server that only accepts, or is not ready, would leave us in doubt."""
        await self._connection.send_command("PING", check_health=False)
        try:
            await self._connection.read_response(disconnect_on_error=False)
        except NotServed:
            raise
        except RedisError as error:
            if not (isinstance(error, ResponseError) or error.status_code):
                raise

    async def _disconnect(self) -> None:
        self._stream = None
        await self._connection.disconnect(nowait=True)
