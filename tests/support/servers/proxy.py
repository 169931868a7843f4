"""A TCP proxy that misbehaves when it is told to: it cuts, stalls, is slow, or swallows answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards ``port`` on the loopback to ``target`` there. It runs in a thread of its own; every word to it holds
    for the connections there are and those to come."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._delay_s = 0.0
        self._swallows = False
        self._pumps: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def cut(self) -> None:
        """Hang up on both sides; who connects anew is served."""
        self._do(self._hang_up())

    def stall(self) -> None:
        """Half-open: everything is accepted, and nothing arrives."""
        self._do(self._set_flowing(is_flowing=False))

    def slow_down(self, delay_s: float) -> None:
        """Every packet is late by this."""
        self._delay_s = delay_s

    def swallow_answers(self) -> None:
        """What is asked arrives; instead of an answer there is the end of the connection."""
        self._swallows = True

    def recover(self) -> None:
        """Serve as a good proxy does, those included whom it has kept waiting."""
        self._delay_s, self._swallows = 0.0, False
        self._do(self._set_flowing(is_flowing=True))

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        pumps = list(self._pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _set_flowing(self, *, is_flowing: bool) -> None:
        if is_flowing:
            self._flows.set()
        else:
            self._flows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self._pumps.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, questions = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                ways = (self._pump(reader, questions, is_answer=False), self._pump(answers, writer, is_answer=True))
                pumps = [asyncio.ensure_future(way) for way in ways]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                questions.close()
        finally:
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await source.read(65_536):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._flows.wait()
            if is_answer and self._swallows:
                return
            sink.write(data)
            await sink.drain()
