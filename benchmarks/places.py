"""Where agents are measured: each backend with its servers, its yardstick on the same server, and a pair of scales.

Servers are the tests' own: started here, on free ports and in temporary folders, with the settings of a server that
keeps what it has acknowledged.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
import redis

from benchmarks.place import OURS, RAW, Place
from benchmarks.raw import Raw, RawPostgres, RawRedis, RawSqlite
from benchmarks.sqlite_log import SqliteLog, remove_sqlite, weigh_sqlite
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import DURABLE, RedisServer

#: As Debian and everybody ships it: fsync, full_page_writes and synchronous_commit are on.
_POSTGRES: Final = {"max_connections": "200"}


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
    """A log that grows costs about twice what one costs that is written again from its beginning, since the file system
    finds room for each commit. A store that lives is in the second case; so is everybody here, after ``settle``."""

    name = "SQLite"
    said_of_log = "; both logs are recycled"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[str, int] = {}
        self._logs: dict[str, SqliteLog] = {}

    def fresh(self) -> str:
        return f"sqlite:///{self._next(OURS)}"

    def weigh(self, spot: str = OURS) -> int:
        return weigh_sqlite(self._path(spot))

    @contextmanager
    def raw(self) -> Iterator[Raw]:
        raw = RawSqlite(self._next(RAW))
        try:
            yield raw
        finally:
            raw.close()

    def weigh_raw(self, raw: Raw) -> int:
        assert isinstance(raw, RawSqlite)
        return weigh_sqlite(raw.path)

    def for_peer(self, spot: str) -> dict[str, Any]:
        return {"backend": "sqlite", "path": str(self._next(spot))}

    def settle(self, spot: str = OURS) -> None:
        log = self._logs.get(spot)
        if log is None:
            log = self._logs[spot] = SqliteLog(self._path(spot))
        log.begin_again()

    def close(self) -> None:
        for spot in list(self._logs):
            self._logs.pop(spot).close()

    def _next(self, spot: str) -> Path:
        """A file that was never there: what still has the old one open does no harm."""
        if log := self._logs.pop(spot, None):
            log.close()
        remove_sqlite(self._path(spot))
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

    def drain(self, spot: str = OURS) -> None:
        """Before autovacuum and the checkpointer would do it, in the midst of what is measured."""
        self._server.execute("VACUUM (ANALYZE)", spot)
        self._server.execute("CHECKPOINT")

    @contextmanager
    def raw(self) -> Iterator[Raw]:
        raw = RawPostgres(self._server.make_database(RAW))
        try:
            yield raw
        finally:
            raw.close()

    def weigh_raw(self, raw: Raw) -> int:
        return self.weigh(RAW)

    def for_peer(self, spot: str) -> dict[str, Any]:
        url = self._server.make_database(spot)
        where = {"host": "127.0.0.1", "port": self._server.port, "user": "fsm", "database": spot}
        return {"backend": "postgres", "url": url, **where}


_TABLES: Final = """
SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')
"""


#: What Redis says of its log that is not done yet.
_AT_WORK: Final = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_pending_bio_fsync")
_PATIENCE_S: Final = 60


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

    def drain(self, spot: str = OURS) -> None:
        """The log is written anew now, or the server would do it once it has doubled."""
        self._server.execute("BGREWRITEAOF")
        until_s = time.monotonic() + _PATIENCE_S
        while self._is_busy():
            if time.monotonic() > until_s:
                raise TimeoutError(f"{self.name} was still rewriting its log after {_PATIENCE_S} s")
            time.sleep(0.01)

    def _is_busy(self) -> bool:
        state = self._server.execute("INFO", "persistence")
        return any(int(state[name]) for name in _AT_WORK)

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

    def drain(self, spot: str = OURS) -> None:
        super().drain(spot)
        if spot == OURS:
            self._cold.drain(spot)

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
        sqlite = stack.enter_context(closing(SqlitePlace(folder)))
        yield Places(
            memory=MemoryPlace(),
            sqlite=sqlite,
            postgres=PostgresPlace(postgres),
            redis=RedisPlace(always, "always"),
            redis_everysec=RedisPlace(everysec, "everysec"),
            tiered=TieredPlace(always, postgres),
            folder=folder,
        )


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)
