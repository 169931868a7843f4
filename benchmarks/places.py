"""Where agents are measured: each backend with its servers, its yardstick on the same server, and a pair of scales.

Servers are the tests' own: started here, on free ports and in temporary folders, with the settings of a server that
keeps what it has acknowledged.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import apsw
import psutil
import redis

from benchmarks.raw import Raw, RawPostgres, RawRedis, RawSqlite
from tests.servers.postgres import PostgresServer
from tests.servers.redis import DURABLE, RedisServer

#: As Debian and everybody ships it: fsync, full_page_writes and synchronous_commit are on.
_POSTGRES: Final = {"max_connections": "200"}


#: Where our agents are; each peer has a spot of its own.
OURS: Final = "agents"


class Place(ABC):
    """One backend. ``fresh`` forgets what was there before."""

    name: str

    @abstractmethod
    def fresh(self) -> str:
        """The URL of an empty store of ours."""

    @abstractmethod
    def weigh(self, spot: str = OURS) -> int:
        """Bytes that whoever wrote there since it was empty takes."""

    @abstractmethod
    @contextmanager
    def raw(self) -> Iterator[Raw]:
        """The yardstick, in an empty place of its own."""

    @abstractmethod
    def weigh_raw(self, raw: Raw) -> int:
        """Bytes that it takes."""

    def for_peer(self, spot: str) -> dict[str, Any]:
        """An empty place, as a peer is told of it; what stands in other spots stays, except in Redis."""
        raise LookupError(f"{spot} keeps no agents in {self.name}")


class MemoryPlace(Place):
    name = "memory"
    _before = 0

    def fresh(self) -> str:
        self._before = _resident()
        return "memory://"

    def weigh(self, spot: str = OURS) -> int:
        return _resident() - self._before

    def raw(self) -> Any:
        raise LookupError("memory has no statement to compare with")

    def weigh_raw(self, raw: Raw) -> int:
        raise LookupError("memory has no statement to compare with")


class SqlitePlace(Place):
    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[str, int] = {}

    def fresh(self) -> str:
        return f"sqlite:///{self._next(OURS)}"

    def weigh(self, spot: str = OURS) -> int:
        return weigh_sqlite(self._path(spot))

    @contextmanager
    def raw(self) -> Iterator[Raw]:
        raw = RawSqlite(self._next("raw"))
        try:
            yield raw
        finally:
            raw.close()

    def weigh_raw(self, raw: Raw) -> int:
        assert isinstance(raw, RawSqlite)
        return weigh_sqlite(raw.path)

    def for_peer(self, spot: str) -> dict[str, Any]:
        return {"backend": "sqlite", "path": str(self._next(spot))}

    def _next(self, spot: str) -> Path:
        """A file that was never there: what still has the old one open does no harm."""
        _remove(self._path(spot))
        self._numbers[spot] = self._numbers.get(spot, 0) + 1
        return self._path(spot)

    def _path(self, spot: str) -> Path:
        return self._folder / f"{spot}{self._numbers.get(spot, 0)}.db"


class PostgresPlace(Place):
    name = "PostgreSQL"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def fresh(self) -> str:
        return self._server.make_database(OURS)

    def weigh(self, spot: str = OURS) -> int:
        """Tables with their indexes and what is kept out of line."""
        ((size,),) = self._server.execute(_TABLES, spot)
        return int(size)

    @contextmanager
    def raw(self) -> Iterator[Raw]:
        raw = RawPostgres(self._server.make_database("raw"))
        try:
            yield raw
        finally:
            raw.close()

    def weigh_raw(self, raw: Raw) -> int:
        return self.weigh("raw")

    def for_peer(self, spot: str) -> dict[str, Any]:
        url = self._server.make_database(spot)
        where = {"host": "127.0.0.1", "port": self._server.port, "user": "fsm", "database": spot}
        return {"backend": "postgres", "url": url, **where}


_TABLES: Final = """
SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')
"""


class RedisPlace(Place):
    """Ours is database 0, the yardstick has 1, peers have 2."""

    def __init__(self, server: RedisServer, policy: str) -> None:
        self.name = f"Redis, {policy}"
        self._server = server
        self._before = 0

    def fresh(self) -> str:
        self._empty(0)
        return self._server.url()

    def weigh(self, spot: str = OURS) -> int:
        """What has been added since somebody asked for an empty place; there is but one memory."""
        return self._used() - self._before

    @contextmanager
    def raw(self) -> Iterator[Raw]:
        raw = RawRedis("127.0.0.1", self._server.port)
        try:
            yield raw
        finally:
            raw.close()

    def weigh_raw(self, raw: Raw) -> int:
        return self.weigh()

    def for_peer(self, spot: str) -> dict[str, Any]:
        self._empty(2)
        return {"backend": "redis", "host": "127.0.0.1", "port": self._server.port, "database": 2}

    def _empty(self, database: int) -> None:
        with redis.Redis(port=self._server.port, db=database) as client:
            client.flushdb()
        self._before = self._used()

    def _used(self) -> int:
        return int(self._server.execute("INFO", "memory")["used_memory"])


class TieredPlace(RedisPlace):
    """Warm is Redis, which is also the yardstick; cold is PostgreSQL."""

    def __init__(self, warm: RedisServer, cold: PostgresServer) -> None:
        super().__init__(warm, "always")
        self.name = "tiered"
        self._cold = PostgresPlace(cold)

    def fresh(self) -> str:
        return f"tiered:{super().fresh()},{self._cold.fresh()},idle=1h"

    def fresh_and_restless(self) -> str:
        """Who waits is archived with the next sweep."""
        return self.fresh().replace("idle=1h", "idle=1ms")

    def weigh_cold(self) -> int:
        return self._cold.weigh()

    def for_peer(self, spot: str) -> dict[str, Any]:
        return Place.for_peer(self, spot)


@dataclass(frozen=True, slots=True)
class Places:
    """Every backend. The order is that of the tables."""

    memory: MemoryPlace
    sqlite: SqlitePlace
    postgres: PostgresPlace
    redis: RedisPlace
    redis_everysec: RedisPlace
    tiered: TieredPlace
    folder: Path = field(repr=False)

    @property
    def durable(self) -> tuple[Place, ...]:
        return (self.sqlite, self.postgres, self.redis, self.redis_everysec, self.tiered)


@contextmanager
def open_places(
    postgres_settings: Mapping[str, str] = _POSTGRES, redis_settings: Mapping[str, str] = DURABLE
) -> Iterator[Places]:
    """Starts the servers, and stops them whatever happens."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fsm-bench-")))
        postgres = stack.enter_context(PostgresServer(postgres_settings))
        always = stack.enter_context(RedisServer(redis_settings))
        everysec = stack.enter_context(RedisServer({**redis_settings, "appendfsync": "everysec"}))
        yield Places(
            memory=MemoryPlace(),
            sqlite=SqlitePlace(folder),
            postgres=PostgresPlace(postgres),
            redis=RedisPlace(always, "always"),
            redis_everysec=RedisPlace(everysec, "everysec"),
            tiered=TieredPlace(always, postgres),
            folder=folder,
        )


def weigh_sqlite(path: Path) -> int:
    """What a database weighs when its log is written back."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)
