"""A connection to a client that has to keep pace: who sends no whole request, or takes no answer, is cut off.

To close such a connection would not do: what it has not taken yet would be kept for it, as long as it likes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger("fsm_agent")


class Connection(H11Protocol):
    """See the module."""

    #: seconds in which a client has to take something of what waits for it
    patience_s: ClassVar[float] = 7.0
    #: seconds that a request may take to arrive
    request_s: ClassVar[float] = 30.0
    #: seconds after which the kernel gives up a client that confirms nothing, however little it was sent
    silence_s: ClassVar[int] = 15

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        # asyncio does so only where a socket names its protocol; without it, half of an answer waits for 40 ms
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.silence_s * 1000)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def _await_request(self) -> None:
        """Give the client a while for the request that has begun, or for the first one."""
        is_whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if is_whole and self._reading is not None:
            self._reading.cancel()
            self._reading = None
        elif not is_whole and self._reading is None:
            self._reading = self.loop.call_later(self.request_s, self._cut_off, "sends no whole request")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _await_reader(self, left: int) -> None:
        """Give the client a while to take something; ``left`` is how many bytes wait for it."""
        self._writing = self.loop.call_later(self.patience_s, self._look_at_reader, left)

    def _look_at_reader(self, before: int) -> None:
        if (left := self.transport.get_write_buffer_size()) < before:
            self._await_reader(left)
        else:
            self._cut_off("takes nothing of what is sent")

    def _cut_off(self, why: str) -> None:
        logger.info("a client was cut off: it %s", why, extra={"action": "client_cut_off"})
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._reading, self._writing):
            if timer is not None:
                timer.cancel()
        self._reading = self._writing = None
        super().connection_lost(exc)
