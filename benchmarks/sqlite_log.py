"""The write-ahead log of one SQLite file: kept at its full length, and written again from its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

#: Beyond so many pages SQLite writes its log back by itself and begins it again.
_PAGES: Final = 1_000
_BUSY_MS: Final = 5_000
#: Its pages are free afterwards, so that the file does not grow either for a while.
_FILL: Final = """
CREATE TABLE padding (page BLOB);
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :pages)
INSERT INTO padding SELECT zeroblob(4000) FROM numbers;
DROP TABLE padding;
"""


class SqliteLog:
    """Stays connected from the first run to the last: the last connection that is closed removes the log."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(_BUSY_MS)
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._log = log_of(path)

    def begin_again(self) -> None:
        """Everything is in the database, and the next commit writes at the beginning of a log that has its full length.
        Does nothing where the file has a rollback journal."""
        if self._connection.pragma("journal_mode") != "wal":
            return
        if self.length() < _PAGES * 4_096:
            self._connection.execute(_FILL, {"pages": _PAGES})
        ((is_busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        if is_busy:
            raise TimeoutError(f"{self._log.name} is still read or written after {_BUSY_MS} ms")

    def length(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def close(self) -> None:
        self._connection.close()


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def weigh_sqlite(path: Path) -> int:
    """What a database weighs when its log is written back."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_BUSY_MS)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def remove_sqlite(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
