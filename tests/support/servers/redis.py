"""A Redis server of our own: started, stopped, killed and started again at will."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: Nobody's data is at stake.
QUICK: Final[Mapping[str, str]] = {"appendonly": "no", "save": ""}
#: What is acknowledged is on the disk.
DURABLE: Final[Mapping[str, str]] = {"appendonly": "yes", "appendfsync": "always", "save": ""}
_PATIENCE_S: Final = 30


class RedisServer:
    """Runs from ``start`` to ``stop`` or ``kill``, as often as one likes; ``close`` removes its folder.

    ``settings`` are those of redis.conf.
    """

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="fsm-redis-"))
        self._settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "unixsocket": str(self.socket),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: int = 0, *, user: str = "", port: int | None = None) -> str:
        """Where a database is; ``user`` is ``name:password@``; with ``port``, as a proxy shows it."""
        return f"redis://{user}127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Returns when commands are answered."""
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.fail("redis-server is missing: sh tests/install-system.sh installs it")
        options = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([binary, *options], stdout=log, stderr=log)
        until_s = time.monotonic() + _PATIENCE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until_s:
                pytest.fail(f"Redis does not start: {(self.folder / 'log').read_text()[-2_000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """As an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash would: nothing is said or written any more."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stands still until ``thaw``; the system goes on to accept for it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def execute(self, *command: str | int | bytes, **login: str) -> Any:
        """The answer to one command, said by an administrator."""
        user: dict[str, Any] = {"password": self._settings.get("requirepass"), **login}
        with redis.Redis(port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0), **user) as client:
            return client.execute_command(*command)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_ready(self) -> bool:
        try:
            self.execute("PING")
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        self._signal(how)
        if self._process is not None:
            self._process.wait(_PATIENCE_S)
            self._process = None


def _free_port() -> int:
    """One to which a cluster may add ten thousand."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests of a process that need one. Who stops it starts it again."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A database without agents."""
    redis_server.execute("FLUSHALL")
    return redis_server.url()
