"""The server process: it listens, serves until it is told to stop, and then lets nobody hang."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from fsm_agent.errors import SettingsInvalid
from fsm_agent.server.service import Service

#: seconds that requests have to end after the server was told to stop; then they are cut off
_GRACE_S: Final = 3
#: connections that may wait to be accepted
_BACKLOG: Final = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises ``SettingsInvalid``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsInvalid(f"cannot listen on {host} port {port}: {why}; choose another --port or --host") from None


def address_of(listening: socket.socket) -> str:
    """The address of the page."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class _Server(uvicorn.Server):
    """A server that ends its streams when it is told to stop: they would keep it from stopping."""

    def __init__(
        self, config: uvicorn.Config, *, on_start: Callable[[], object], on_stop: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._on_stop()


async def serve(
    app: ASGIApp, services: Iterable[Service], listening: socket.socket, *, when_ready: Callable[[], object]
) -> None:
    """Serve until SIGINT or SIGTERM. ``when_ready`` is called when requests are taken."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for service in services:
            loop.call_soon_threadsafe(service.feed.close)

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    try:
        await _Server(config, on_start=when_ready, on_stop=stop).serve(sockets=[listening])
    finally:
        listening.close()
