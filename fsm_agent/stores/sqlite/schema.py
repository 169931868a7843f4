"""The file: how it is opened, whose it is, and how it is brought to the present version."""

from __future__ import annotations

import logging
from time import monotonic, sleep

import apsw

from fsm_agent.errors import StoreCorrupt, StoreTooNew
from fsm_agent.stores.sqlite.connection import Connection, connect
from fsm_agent.stores.sqlite.errors import shown, upgraded
from fsm_agent.stores.sqlite.migrations import APPLICATION_ID, INDEXED, MIGRATIONS

logger = logging.getLogger("fsm_agent")


def open_file(path: str, *, busy_ms: int) -> Connection:
    """Like ``connect``, for the first time: makes the file if there is none, and brings it to the present version.

    Leaves it untouched and raises if it is not ours or is newer.
    """
    db = connect(path, busy_ms=busy_ms)
    try:
        if _version(db, path) < len(MIGRATIONS):
            _use_wal(db, until_s=monotonic() + busy_ms / 1000)
            _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def is_upgraded(db: apsw.Connection) -> bool:
    """Whether a newer fsm-agent has upgraded the file since it was opened here."""
    return int(db.execute("PRAGMA user_version").get) > len(MIGRATIONS)


def refuse_upgraded(db: apsw.Connection) -> None:
    """Raises ``StoreTooNew`` if it has: what that one made of the tables is not known here."""
    if is_upgraded(db):
        raise upgraded(db.filename)


def _use_wal(db: apsw.Connection, *, until_s: float) -> None:
    """Switch to the write-ahead log. SQLite's own busy timeout does not cover this one statement."""
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except apsw.BusyError:
            if monotonic() > until_s:
                raise
            sleep(0.01)
        else:
            return


def _migrate(db: Connection, path: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        version, filled = _version(db, path), 0  # asked again: another process may have been faster
        for migration in MIGRATIONS[version:]:
            db.execute(migration)
        if 0 < version < INDEXED:
            from fsm_agent.stores.sqlite import reindex  # which few processes need

            filled = reindex.fill(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(MIGRATIONS)}; COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    if 0 < version < len(MIGRATIONS):
        facts = {"action": "store_upgraded", "from_version": version, "indexed": filled}
        logger.info("database %s was upgraded from schema version %d", shown(path), version, extra=facts)


def _version(db: apsw.Connection, path: str) -> int:
    """How many migrations the file has been through; 0 if it is new."""
    application_id, version, tables = db.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).get
    if application_id == 0 and version == 0 and tables == 0:
        return 0
    if application_id != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is the SQLite database of another program; name another file")
    if version > len(MIGRATIONS):
        raise StoreTooNew(
            f"database {path} has schema version {version}, and this fsm-agent knows versions up to "
            f"{len(MIGRATIONS)}; upgrade fsm-agent"
        )
    return int(version)
