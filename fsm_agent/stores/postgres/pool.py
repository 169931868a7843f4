"""Connections to PostgreSQL: made when they are needed, kept while they work, thrown away when they do not.

Why not ``psycopg_pool``: a caller whom a server refuses should be told why, and at once. That pool connects in the
background, keeps the reason to its log, and lets callers wait; ARCHITECTURE.md has the figures.

Nothing is asked to learn whether an idle connection still works. Nobody talks on an idle connection, so if there is
something to read, the server has hung up: it is replaced before anything is sent. What fails later has been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import UniqueViolation
from psycopg.pq import Conninfo

from fsm_agent.domain.text import did_you_mean, shortened
from fsm_agent.errors import StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores.postgres.connection import Row, Session
from fsm_agent.stores.postgres.errors import Silent, closed, connecting_error, is_lost, statement_error
from fsm_agent.stores.postgres.schema import bring_up, is_current
from fsm_agent.stores.urls import TORN, is_torn, without_password

POOL_SIZE: Final = 10
_CONNECT_S: Final = 5
#: How much longer than the server's own time limit we wait for it to say that it gave up.
_GRACE_S: Final = 5.0

#: In one statement: a commit is on disk when it returns (a stronger setting stays), a statement ends in time, it is
#: planned once, and a plan that was made while tables were small cannot be a scan of them when they are large. A page
#: is read in the order of its index, not sorted out of all that a bitmap finds, and no other process is started for it.
_SET_UP: Final = b"""
SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
            THEN set_config('synchronous_commit', 'on', false) END,
       set_config('statement_timeout', %(patience_ms)s, false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('jit', 'off', false),
       set_config('max_parallel_workers_per_gather', '0', false),
       set_config('plan_cache_mode', 'force_generic_plan', false)
"""


class Address(NamedTuple):
    """Where a database is: what libpq is told, and what may be shown."""

    told: Mapping[str, Any]
    url: str
    pool_size: int = POOL_SIZE

    @property
    def password(self) -> str | None:
        return self.told.get("password")

    def options(self, patience_ms: int) -> dict[str, Any]:
        """What libpq is told, with what notices a peer that is gone; the URL may say otherwise."""
        defaults = {
            "application_name": "fsm-agent",
            "connect_timeout": _CONNECT_S,
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": patience_ms,
        }
        return {**defaults, **self.told, "client_encoding": "utf8"}


def address_of(rest: str) -> Address:
    """The address in the part of a URL after ``postgresql://``."""
    shown = without_password(f"postgresql://{rest}")
    if is_torn(rest):
        raise StoreUrlInvalid(f"store URL {shown!r} is wrong: {TORN}")
    place, _, options = rest.partition("?")
    sizes = [option for option in options.split("&") if option.startswith("pool_size=")]
    others = "&".join(option for option in options.split("&") if option and option not in sizes)
    size = sizes[-1].removeprefix("pool_size=") if sizes else str(POOL_SIZE)
    if not (size.isascii() and size.isdigit() and 1 <= int(size) <= 1_000):
        raise StoreUrlInvalid(f"store URL {shown!r} has an odd pool_size; it is a number from 1 to 1000")
    try:
        told = conninfo_to_dict(f"postgresql://{place}" + (f"?{others}" if others else ""))
    except psycopg.Error:  # its message may hold the password
        told = None
    if (what := _wrong_with(told, rest, others)) is not None:
        raise StoreUrlInvalid(f"store URL {shown!r} {what}: {_HOW_TO}")
    return Address(told or {}, shown, int(size))


_HOW_TO: Final = "write postgresql://user@host:port/database, and options of libpq behind it as ?name=value"


def _wrong_with(told: Mapping[str, Any] | None, rest: str, options: str) -> str | None:
    """What keeps an address from being one. ``told`` is what libpq makes of it, ``None`` if it makes nothing."""
    if "\0" in rest:
        return "has a NUL character"
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    for name, is_given, _ in (option.partition("=") for option in options.split("&") if option):
        if not is_given:
            return "has an option without a value"
        if name not in known and "@" not in name:
            return f"has the unknown option {shortened(name)}{did_you_mean(name, known)}"
    if told is None:
        return "cannot be read"
    if not all(port.isdigit() and 0 <= int(port) < 65_536 for port in str(told.get("port") or "0").split(",")):
        return "has a port that is no number up to 65535"
    return None if told.get("dbname") or told.get("service") else "names no database"


class Pool:
    """Up to ``address.pool_size`` sessions."""

    def __init__(self, address: Address, *, patience_ms: int) -> None:
        self._address = address
        self._patience_ms = patience_ms
        self._options = address.options(patience_ms)
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        self._free = asyncio.Semaphore(address.pool_size)
        self._alarm: asyncio.TimerHandle | None = None
        self._bringing_up = asyncio.Lock()
        self._is_up = self._is_closed = False

    async def run(self, statement: bytes, values: Mapping[str, Any], *, is_read: bool = False) -> list[Row]:
        """The rows of one statement, which is a transaction. What only reads is asked again if its answer was lost.

        Raises ``UniqueViolation`` as it is: what a taken name means, the verb knows.
        """
        for is_last in (not is_read, True):
            try:
                async with self.lent() as session:
                    return await session.run(statement, values)
            except psycopg.Error as error:
                if is_last or not is_lost(error) or isinstance(error, Silent):
                    raise self.translated(error, may_have_written=not is_read) from error
        raise AssertionError("the last try returns or raises")

    def lent(self) -> _Loan:
        """``async with pool.lent() as session``: if anything goes wrong with it, nobody gets it again."""
        return _Loan(self)

    def translated(self, error: psycopg.Error, *, may_have_written: bool = True) -> Exception:
        if isinstance(error, UniqueViolation):
            return error
        return statement_error(error, self._address.url, may_have_written=may_have_written)

    async def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._is_closed = True
        if self._alarm is not None and not self._lent:
            self._alarm.cancel()
        while self._idle:
            self._idle.pop().close()

    async def lend(self) -> Session:
        if self._free.locked() or self._is_closed:
            await self._wait_for_turn()
        else:
            await self._free.acquire()
        try:
            session = self._take_idle() or await self._connect()
        except BaseException:
            self._free.release()
            raise
        self._lent.add(session)
        self._set_alarm(session)
        return session

    def take_back(self, session: Session, error: BaseException | None) -> None:
        """A session that may be in the middle of something is closed."""
        self._lent.discard(session)
        self._free.release()
        is_well = error is None or isinstance(error, UniqueViolation)
        if is_well and session.is_between_transactions and not self._is_closed:
            self._idle.append(session)
        else:
            session.close()

    async def _wait_for_turn(self) -> None:
        url, size = self._address.url, self._address.pool_size
        if self._is_closed:
            raise closed(url)
        try:
            async with asyncio.timeout(self._patience_ms / 1000):
                await self._free.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"database {url} is busy: all {size} connections are in use; try again, or raise `?pool_size=` in it"
            ) from None

    def _take_idle(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_quiet:
                return session
            session.close()
        return None

    async def _connect(self) -> Session:
        try:
            # What psycopg has prepared, it drops after a rollback, and everything of ours with it.
            connection = await psycopg.AsyncConnection.connect(**self._options, autocommit=True, prepare_threshold=None)
            session = Session(connection)
            self._set_alarm(session)
            self._lent.add(session)
            try:
                await session.run(_SET_UP, {"patience_ms": str(self._patience_ms)})
                await self._bring_up(session)
            except BaseException:
                session.close()
                raise
            finally:
                self._lent.discard(session)
        except psycopg.Error as error:
            raise connecting_error(error, self._address.url, self._address.password) from error
        return session

    async def _bring_up(self, session: Session) -> None:
        """The first connection looks after the tables; the others wait for that."""
        connection, url = session.connection, self._address.url
        async with self._bringing_up:
            if not self._is_up:
                try:
                    if not await is_current(connection, url):
                        self._lent.discard(session)  # however long it takes
                        await bring_up(connection, url)
                except psycopg.Error as error:
                    raise self.translated(error) from error
                self._is_up = True

    def _set_alarm(self, session: Session) -> None:
        """One timer watches over all sessions: it goes off when the one that was lent first is overdue."""
        loop = asyncio.get_running_loop()
        session.until_s = loop.time() + self._patience_ms / 1000 + _GRACE_S
        if self._alarm is None:
            self._alarm = loop.call_at(session.until_s, self._look_after_overdue, loop)

    def _look_after_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s, self._alarm = loop.time(), None
        waiting = [session for session in self._lent if not session.is_hung_up]
        for session in waiting:
            if session.until_s <= now_s:
                session.hang_up()
        until_s = [session.until_s for session in waiting if not session.is_hung_up]
        if until_s:
            self._alarm = loop.call_at(min(until_s), self._look_after_overdue, loop)


class _Loan:
    """A context manager by hand, since it is entered at every step."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Session:
        self._session = await self._pool.lend()
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.take_back(self._session, error)
        if self._session.is_hung_up and isinstance(error, psycopg.OperationalError):
            raise Silent from error
