"""Connections to PostgreSQL: made when they are needed, kept while they work, thrown away when they do not.

Why not ``psycopg_pool``: a caller whom a server refuses should be told why, and at once. That pool connects in the
background, keeps the reason to its log, and lets callers wait; ARCHITECTURE.md has the figures.

Nothing is asked to learn whether an idle connection still works. Nobody talks on an idle connection, so if there is
something to read, the server has hung up: it is replaced before anything is sent. What fails later has been sent.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeAlias

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from fsm_agent.errors import StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores.postgres_errors import Silent, connecting_error, is_lost, statement_error
from fsm_agent.stores.postgres_schema import bring_up
from fsm_agent.stores.urls import without_password

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
Row: TypeAlias = tuple[Any, ...]

POOL_SIZE: Final = 10
_CONNECT_S: Final = 5
#: How much longer than the server's own time limit we wait for it to say that it gave up.
_GRACE_S: Final = 5.0

#: In one statement: a commit is on disk when it returns (a stronger setting stays), a statement ends in time, and a
#: plan that was made while tables were small cannot be a scan of them when they are large.
_SET_UP: Final = """
SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
            THEN set_config('synchronous_commit', 'on', false) END,
       set_config('statement_timeout', %s, false),
       set_config('enable_seqscan', 'off', false),
       set_config('jit', 'off', false)
"""


class Address(NamedTuple):
    """Where a database is: what libpq is told, and what may be shown."""

    told: Mapping[str, Any]
    url: str
    pool_size: int = POOL_SIZE

    @property
    def password(self) -> str | None:
        return self.told.get("password")


def address_of(rest: str) -> Address:
    """The address in the part of a URL after ``postgresql://``."""
    shown = without_password(f"postgresql://{rest}")
    place, _, options = rest.partition("?")
    sizes = [option for option in options.split("&") if option.startswith("pool_size=")]
    others = "&".join(option for option in options.split("&") if option and option not in sizes)
    size = sizes[-1].removeprefix("pool_size=") if sizes else str(POOL_SIZE)
    if not (size.isascii() and size.isdigit() and 1 <= int(size) <= 1_000):
        raise StoreUrlInvalid(f"store URL {shown!r} has an odd pool_size; it is a number from 1 to 1000")
    try:
        told = conninfo_to_dict(f"postgresql://{place}" + (f"?{others}" if others else ""))
    except psycopg.Error:  # its message may hold the password
        told = {}
    if "\0" in rest or not (told.get("dbname") or told.get("service")):
        raise StoreUrlInvalid(
            f"store URL {shown!r} names no database: write postgresql://user@host:port/database, "
            "and options of libpq behind it as ?name=value"
        )
    return Address(told, shown, int(size))


class _Number(Dumper):
    """Numbers without a type: statements say the type, and are prepared once, however large the numbers are."""

    oid = 0

    def dump(self, obj: int) -> Buffer:
        return b"%d" % obj


class Pool:
    """Up to ``address.pool_size`` connections, each lent to one caller at a time."""

    def __init__(self, address: Address, *, patience_ms: int) -> None:
        self._address = address
        self._patience_ms = patience_ms
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(address.pool_size)
        self._bringing_up = asyncio.Lock()
        self._is_up = self._is_closed = False

    async def run(self, query: bytes, values: Mapping[str, Any], *, is_read: bool = False) -> list[Row]:
        """The rows of one statement, which is a transaction. What only reads is asked again if its answer was lost."""
        async with self.translated(may_write=not is_read):
            if is_read:
                try:
                    return await self._run(query, values)
                except psycopg.OperationalError as error:
                    if isinstance(error, Silent) or not is_lost(error):
                        raise
            return await self._run(query, values)

    async def _run(self, query: bytes, values: Mapping[str, Any]) -> list[Row]:
        async with self.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall()

    @asynccontextmanager
    async def translated(self, *, may_write: bool = True) -> AsyncIterator[None]:
        """Errors of the driver as ours, but for ``UniqueViolation``: what a taken name means, the verb knows."""
        try:
            yield
        except psycopg.errors.UniqueViolation:
            raise
        except psycopg.Error as error:
            raise statement_error(error, self._address.url, may_have_written=may_write) from error

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; if anything goes wrong with it, or its caller is cancelled, nobody gets it again."""
        await self._wait_for_turn()
        try:
            connection = self._taken() or await self._connect()
            try:
                with _limited(connection, self._patience_ms / 1000 + _GRACE_S):
                    yield connection
            except psycopg.errors.UniqueViolation:
                await self._put_back(connection)
                raise
            except BaseException:
                await connection.close()
                raise
            await self._put_back(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _wait_for_turn(self) -> None:
        if self._is_closed:
            raise StoreUnavailable(f"database {self._address.url} is closed already; open the store again")
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._patience_ms / 1000):
                await self._free.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"database {self._address.url} is busy: all {self._address.pool_size} connections are in use; "
                "try again, or raise `?pool_size=` in the URL"
            ) from None

    def _taken(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if _is_quiet(connection):
                return connection
            connection.pgconn.finish()
        return None

    async def _put_back(self, connection: Connection) -> None:
        if self._is_closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append(connection)

    async def _connect(self) -> Connection:
        try:
            connection = await psycopg.AsyncConnection.connect(**self._told(), autocommit=True, prepare_threshold=1)
            connection.adapters.register_dumper(int, _Number)
            try:
                with _limited(connection, _CONNECT_S):
                    await connection.execute(_SET_UP, (str(self._patience_ms),))
                await self._bring_up(connection)
            except BaseException:
                await connection.close()
                raise
        except psycopg.Error as error:
            raise connecting_error(error, self._address.url, self._address.password) from error
        return connection

    async def _bring_up(self, connection: Connection) -> None:
        """The first connection looks after the tables; the others wait for that."""
        async with self._bringing_up, self.translated():
            if not self._is_up:
                await bring_up(connection, self._address.url)
                self._is_up = True

    def _told(self) -> dict[str, Any]:
        """What libpq is told, with what notices a peer that is gone; the URL may say otherwise."""
        defaults = {
            "application_name": "fsm-agent",
            "connect_timeout": _CONNECT_S,
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": self._patience_ms,
        }
        return {**defaults, **self._address.told, "client_encoding": "utf8"}


@contextmanager
def _limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Hang up on a server that has not answered when the time is over: whoever waits for it then gets ``Silent``."""
    is_over = False

    def hang_up() -> None:
        nonlocal is_over
        is_over = True
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, hang_up)
    try:
        yield
    except psycopg.OperationalError as error:
        if is_over:
            raise Silent from error
        raise
    finally:
        timer.cancel()


def _is_quiet(connection: Connection) -> bool:
    """Whether there is nothing to read, which on an idle connection can only be the end of it."""
    if connection.closed:
        return False
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return not look.poll(0)
