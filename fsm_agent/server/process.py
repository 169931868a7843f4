"""The server process: it listens, serves until it is told to stop, and then lets nobody hang.

Told to stop, by SIGTERM or SIGINT, it takes no more connections. Streams end at once; requests have three seconds, then
they are cut off; actions at work have as long as their services say, then their agents are given back to other
processes. Told again, it ends at once, as if killed; if something holds it up, it ends two seconds later in any case.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

import uvicorn
from starlette.types import ASGIApp

from fsm_agent.errors import SettingsInvalid
from fsm_agent.server.connection import Connection
from fsm_agent.server.service import Service

logger = logging.getLogger("fsm_agent")

_Say: TypeAlias = Callable[[str], object]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
#: seconds that requests have to end after the server was told to stop; then they are cut off
_GRACE_S: Final = 3
#: seconds after which it ends, beyond what requests and actions have, whatever holds it up
_LONGER_S: Final = 1.7
#: seconds for which an idle connection is kept: longer than nginx (60) and Caddy (120) keep it, since a request is lost
#: that a proxy sends over a connection which is just being closed
_IDLE_S: Final = 125
#: connections that may wait to be accepted
_BACKLOG: Final = 2048
#: file descriptors that are wanted, and those that are kept for files, stores and what actions open
_DESCRIPTORS: Final = 65_536
_KEPT_DESCRIPTORS: Final = 100


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises ``SettingsInvalid``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while ")[0]  # which Python says of the address once more
        raise SettingsInvalid(f"cannot listen on {host} port {port}: {why}; choose another --port or --host") from None


def address_of(listening: socket.socket) -> str:
    """The address of the page."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def most_connections() -> int | None:
    """How many connections there may be at once, after as many as possible were allowed; ``None`` is any number. Each
    one takes a file descriptor."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError) as error:
            logger.warning("only %d files may be open: %s", soft, error, extra={"action": "few_descriptors"})
    return max(soft - _KEPT_DESCRIPTORS, 1)


class _Server(uvicorn.Server):
    """A server that stops its services when it is told to stop."""

    def __init__(
        self, config: uvicorn.Config, services: Sequence[Service], *, when_ready: Callable[[], object], say: _Say
    ) -> None:
        super().__init__(config)
        self._services = services
        self._when_ready = when_ready
        self._say = say
        #: ends the process, whatever the main thread does then
        self._end: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()

        def told(number: int, _: FrameType | None) -> None:
            if self.should_exit:
                _end_by(number)
            self.should_exit = True
            self._end_within(self._patience_s())
            loop.call_soon_threadsafe(self._stop, signal.Signals(number).name)

        before = {number: signal.signal(number, told) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _patience_s(self) -> float:
        """Seconds that requests and the actions at work have to end."""
        return max([_GRACE_S, *(service.drain_s for service in self._services if service.at_work)])

    def _end_within(self, patience_s: float) -> None:
        """End a little later than that in any case."""
        if self._end is not None:
            self._end.cancel()
        self._end = threading.Timer(patience_s + _LONGER_S, _give_up)
        self._end.daemon = True
        self._end.start()

    def _stop(self, name: str) -> None:
        for service in self._services:
            service.stop()
        within_s = self._patience_s()  # an action may have begun since the signal came
        self._end_within(within_s)
        requests, agents = len(self.server_state.tasks), sum(service.at_work for service in self._services)
        self._say(f"{name}: stopping within {within_s:g} s; open requests: {requests:,}, agents at work: {agents:,}")


def _end_by(number: int) -> None:
    """End at once, by a signal."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container is not ended by its own signals


def _give_up() -> None:
    words = threading.Thread(target=sys.stderr.write, args=("not stopped in time: cut off\n",), daemon=True)
    words.start()
    words.join(0.1)  # nobody may read them
    os._exit(1)


def configuration(app: ASGIApp, connection: type[Connection] = Connection) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        http=connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=most_connections(),
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


async def serve(
    app: ASGIApp,
    services: Sequence[Service],
    listening: socket.socket,
    *,
    when_ready: Callable[[], object],
    say: _Say,
) -> None:
    """Serve until SIGINT or SIGTERM. ``when_ready`` is called when requests are taken; ``say`` is told what happens."""
    try:
        await _Server(configuration(app), services, when_ready=when_ready, say=say).serve(sockets=[listening])
    finally:
        listening.close()
    say("stopped")
