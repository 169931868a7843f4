"""What a server answers, read in the moment in which it arrives.

redis-py connects: it knows addresses, TLS and how to log in. Then its transport is ours: its own way to read goes
through a stream, a parser and a handful of coroutines for every line, which takes longer than all that a step says.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from fsm_agent.stores.redis.resp import Incomplete, read_answer


class AnswerStream(asyncio.Protocol):
    """The transport of a ``connection`` on which nobody waits for an answer of the server any more."""

    def __init__(self, connection: AbstractConnection) -> None:
        #: whether anything was said that nobody has asked for, or that is no answer
        self._is_spoilt = False
        writer: Any = connection._writer  # redis-py has no public way to its transport
        self._transport: asyncio.Transport = writer.transport
        #: redis-py's, which waits for the end when it disconnects
        self._before: asyncio.BaseProtocol = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._needed = 1
        self._expected = 0
        self._answers: list[Any] = []
        self._over: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._heard_s = self._patience_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can be asked. A transport that closes says so before ``connection_lost``."""
        return not (self._is_spoilt or self._transport.is_closing())

    async def exchange(self, request: bytes, expected: int, answers: list[Any], *, patience_s: float) -> None:
        """Send, and add so many answers to ``answers``; those that came before it fails, too.

        Raises ``TimeoutError`` if the server lets us wait so long for the next one, ``OSError`` where the connection
        ends, and what ``read_answer`` raises.
        """
        if not expected:
            return
        self._over = self._loop.create_future()
        self._answers, self._expected = answers, expected
        self._heard_s, self._patience_s = self._loop.time(), patience_s
        self._transport.write(request)
        if self._alarm is None:
            self._alarm = self._loop.call_later(patience_s, self._look_at_clock)
        try:
            await self._over
        finally:
            self._over = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._over is None or self._over.done():
            self._is_spoilt = True
        elif len(self._buffer) >= self._needed:
            self._read(self._over)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server hung up"))
        if self._alarm is not None:
            self._alarm.cancel()
        self._before.connection_lost(exc)

    def _read(self, over: asyncio.Future[None]) -> None:
        at = 0
        try:
            while len(self._answers) < self._expected:
                answer, at = read_answer(self._buffer, at)
                self._answers.append(answer)
                self._heard_s = self._loop.time()
        except Incomplete as more:
            self._needed = more.needed - at
        except (RedisError, ValueError) as error:
            self._fail(error)
        else:
            self._needed = 1
            self._is_spoilt = at < len(self._buffer)
            over.set_result(None)
        del self._buffer[:at]

    def _fail(self, error: Exception) -> None:
        self._is_spoilt = True
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _look_at_clock(self) -> None:
        """One timer watches over all exchanges: it goes off when the present one, or none, is overdue."""
        self._alarm = None
        if self._over is not None and not self._over.done():
            left_s = self._heard_s + self._patience_s - self._loop.time()
            if left_s <= 0:
                self._fail(TimeoutError())
            else:
                self._alarm = self._loop.call_later(left_s, self._look_at_clock)
