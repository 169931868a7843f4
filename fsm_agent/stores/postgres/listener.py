"""Waiting for the server's answers, with one place in the event loop for as long as a connection lives.

psycopg asks the loop to listen for each statement, and to stop after it; both together cost more than the loop takes to
tell that an answer is there. Here the loop listens from the first statement on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

import psycopg
from psycopg.pq.abc import PGconn, PGresult


class Listener:
    """Wait for the answer. One caller at a time, who has just sent something with ``pgconn``."""

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        #: A second number of the connection's socket. The loop knows one listener to each number, and psycopg takes
        #: the first: whoever talks in its way (transactions, COPY) would otherwise send us away unnoticed.
        self._socket = socket.socket(fileno=os.dup(pgconn.socket))
        self._loop = asyncio.get_running_loop()
        self._is_listening = False
        self._waiting: asyncio.Future[list[PGresult]] | None = None
        self._results: list[PGresult] = []

    async def results(self) -> list[PGresult]:
        """All that the server answers; whoever was cancelled here may ask once more for the rest.

        Raises ``OperationalError`` where the connection breaks.
        """
        self._waiting = self._loop.create_future()
        if not self._is_listening:
            self._loop.add_reader(self._socket, self._read)
            self._is_listening = True
        if self._pgconn.flush():  # more than the socket takes at once
            self._loop.add_writer(self._socket, self._write)
        return await self._waiting

    def hang_up(self) -> None:
        """Whoever waits gets an error at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stop_listening()
        self._socket.close()

    def _read(self) -> None:
        if self._waiting is None or self._waiting.done():
            # Nobody has asked: the server hangs up, or it answers to somebody who waits in psycopg's way, or who
            # was cancelled. It is not read here, and would be announced again and again.
            self._stop_listening()
            return
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    results, self._results = self._results, []
                    self._waiting.set_result(results)
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self._fail(error)

    def _write(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._fail(error)

    def _fail(self, error: psycopg.Error) -> None:
        self._stop_listening()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _stop_listening(self) -> None:
        if not self._loop.is_closed() and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._is_listening = False
