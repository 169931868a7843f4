"""PostgreSQL's errors as ours: the one place where they are translated."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import psycopg
from psycopg import errors as pg

from fsm_agent.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable, StoreUrlInvalid
from fsm_agent.stores.postgres.migrations import UPGRADED

#: A write whose answer never came.
_UNKNOWN: Final = "; whether this was written is unknown, and to repeat it with the same key is safe"


class _Meaning(NamedTuple):
    kind: type[StoreError]
    what: str


#: What a server that lets nobody in says, without a code that libpq would tell.
_AT_THE_DOOR: Final = tuple(
    (re.compile(said), _Meaning(kind, what))
    for said, kind, what in (
        (
            r"password authentication failed|no password supplied|role .* does not exist|authentication failed",
            StoreUrlInvalid,
            "refuses this user or password; name the user in the URL, and give the password in PGPASSWORD or ~/.pgpass",
        ),
        (r"database .* does not exist", StoreUrlInvalid, "does not exist; make it with `createdb`"),
        (r"permission denied for database", StoreUrlInvalid, "may not be connected to by this user: grant it CONNECT"),
        (r"pg_hba\.conf", StoreUrlInvalid, "admits no such user from here; its pg_hba.conf says who may come"),
        (
            r"too many (clients|connections)|connection slots",
            StoreUnavailable,
            "has no connection left; raise its max_connections, or lower `?pool_size=` in the URL",
        ),
        (
            r"starting up|shutting down|recovery mode|not accepting connections|not yet accepting",
            StoreUnavailable,
            "is starting or stopping; try again in a moment",
        ),
        (
            r"[Cc]onnection refused|No such file or directory",
            StoreUnavailable,
            "refused the connection; is a server running there?",
        ),
        (r"resolve host|translate host name", StoreUnavailable, "has a host that nobody knows; check its name"),
        (r"timeout expired", StoreUnavailable, "cannot be reached: nobody answers there"),
        (r"server closed the connection|[Cc]onnection reset", StoreUnavailable, "hung up; try again in a moment"),
    )
)

_LOST: Final = (pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow, pg.IdleSessionTimeout, pg.DatabaseDropped)
_BUSY: Final = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)
_DAMAGED: Final = (pg.DataCorrupted, pg.IndexCorrupted, pg.IntegrityError, pg.ProgrammingError)


_OVERTAKEN: Final = _Meaning(StoreTooNew, f"is not for this process any more: {UPGRADED}")


class Silent(psycopg.OperationalError):
    """We hung up on a server that did not answer in time."""


def closed(url: str) -> StoreUnavailable:
    """What is told of a store that is used after its end."""
    return StoreUnavailable(f"database {url} is closed already; open the store again")


def connecting_error(error: psycopg.Error, url: str, password: str | None) -> StoreError:
    """What ``error`` means to somebody who could not connect to ``url``, in one sentence."""
    said = _one_line(error)
    if isinstance(error, pg.ConnectionTimeout | Silent):
        said = "timeout expired"
    for pattern, meaning in _AT_THE_DOOR:
        if pattern.search(said):
            return meaning.kind(f"database {url} {meaning.what}")
    if password:
        said = said.replace(password, "***")
    return StoreUnavailable(f"database {url} cannot be connected to: {said}")


def statement_error(error: psycopg.Error, url: str, *, may_have_written: bool) -> StoreError:
    """What an ``error`` of a statement means to somebody who uses the database at ``url``, in one sentence."""
    kind, what = _OVERTAKEN if _one_line(error) == UPGRADED else _meaning(error)
    return kind(f"database {url} {what}{_UNKNOWN if may_have_written and is_lost(error) else ''}")


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection went, and with it the answer; libpq gives such an error no code."""
    return isinstance(error, _LOST) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None)


def _meaning(error: psycopg.Error) -> _Meaning:
    kind: type[StoreError] = StoreUnavailable
    match error:
        case Silent():
            what = "stopped answering; is it overloaded, or the network cut?"
        case pg.QueryCanceled():
            what = "took too long and gave up; it is overloaded, or somebody holds a lock: try again"
        case pg.ReadOnlySqlTransaction():
            what = "is read-only; name the primary, or let the user write"
        case pg.DiskFull():
            what = "cannot grow: the disk is full"
        case pg.TooManyConnections():
            what = "has no connection left; raise its max_connections, or lower `?pool_size=` in the URL"
        case pg.InsufficientPrivilege():
            what = f"does not let this user do that ({_one_line(error)}); grant it the schema fsm_agent"
        case _ if isinstance(error, _BUSY):
            what = "was busy with somebody else's change of the same rows; try again"
        case _ if isinstance(error, _DAMAGED):
            kind, what = StoreCorrupt, f"is damaged ({_one_line(error)}); restore it from a backup"
        case _ if is_lost(error):
            what = "lost the connection"
        case _:
            what = f"failed: {type(error).__name__} {_one_line(error)}"
    return _Meaning(kind, what)


def _one_line(error: psycopg.Error) -> str:
    primary = error.diag.message_primary
    return " ".join((primary or str(error)).split())
