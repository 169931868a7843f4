"""SQLite's errors as ours: the one place where they are translated."""

from __future__ import annotations

import apsw

from fsm_agent.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable


def upgraded(path: str) -> StoreTooNew:
    return StoreTooNew(
        f"database {shown(path)} was upgraded by a newer fsm-agent while this process had it open, and nothing was "
        "changed: restart with that one"
    )


def shown(path: str) -> str:
    """A path, or the URL of a file, as it may be shown: somebody may have meant another kind of store."""
    if "@" not in str(path):
        return path
    from fsm_agent.stores.urls import without_password

    return without_password(path)


def store_error(error: apsw.Error, path: str) -> StoreError:
    """What ``error`` means to somebody who uses the database at ``path``, in one sentence."""
    kind: type[StoreError] = StoreUnavailable
    match error:
        case apsw.BusyError() | apsw.LockedError():
            what = "is locked by another process; try again when that has finished"
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.AuthError():
            what = "is read-only; the file and its folder must be writable"
        case apsw.CantOpenError():
            what = "cannot be opened; the file must be readable, and the folder writable"
        case apsw.FullError() | apsw.IOError() if _lacks_space(error):
            what = "cannot grow: the disk is full, or a size limit is reached"
        case apsw.IOError():
            what = f"cannot be read or written: {error}"
        case apsw.ConnectionClosedError() | apsw.CursorClosedError() | apsw.InterruptError():
            what = "is closed already; open the store again"
        case apsw.NotADBError():
            kind, what = StoreCorrupt, "is not an SQLite database; name another file"
        case apsw.CorruptError() | apsw.FormatError() | apsw.SQLError() | apsw.ConstraintError():
            kind, what = StoreCorrupt, f"is damaged ({error}); restore it from a backup"
        case _:
            what = f"failed: {type(error).__name__} {error}"
    return kind(f"database {shown(path)} {what}")


def _lacks_space(error: apsw.Error) -> bool:
    """A full disk has no room for the index of the log either, and SQLite calls that an I/O error."""
    return isinstance(error, apsw.FullError) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE
