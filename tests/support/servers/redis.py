"""A Redis server of our own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .own_server import OwnServer, program_at

#: Nobody's data is at stake.
QUICK: Final[Mapping[str, str]] = {"appendonly": "no", "save": ""}
#: What is acknowledged is on the disk.
DURABLE: Final[Mapping[str, str]] = {"appendonly": "yes", "appendfsync": "always", "save": ""}


class RedisServer(OwnServer):
    """``settings`` are those of redis.conf."""

    name = "Redis"
    highest_port = 55_000  # a cluster adds ten thousand

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        super().__init__()
        self._settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "unixsocket": str(self.socket),
            **settings,
        }

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def url(self, database: int = 0, *, user: str = "", port: int | None = None) -> str:
        """Where a database is; ``user`` is ``name:password@``; with ``port``, as a proxy shows it."""
        return f"redis://{user}127.0.0.1:{port or self.port}/{database}"

    def command(self) -> Sequence[str]:
        options = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        return [program_at("redis-server", shutil.which("redis-server")), *options]

    def is_ready(self) -> bool:
        try:
            self.execute("PING")
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False
        return True

    def execute(self, *command: str | int | bytes, **login: str) -> Any:
        """The answer to one command, said by an administrator."""
        user: dict[str, Any] = {"password": self._settings.get("requirepass"), **login}
        with redis.Redis(port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0), **user) as client:
            return client.execute_command(*command)


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
