"""A database that cannot serve says so in one sentence that names it, and nothing is half-written."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from fsm_agent.domain.step import Delta
from fsm_agent.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
from fsm_agent.stores.sqlite.errors import store_error
from fsm_agent.stores.sqlite.schema import APPLICATION_ID, MIGRATIONS
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, ORDER, a_commit, a_creation, all_of, keep_definitions

NOBODY = 65_534
LARGE = Delta({"text": "x" * 100_000})


@pytest.fixture
def path() -> Iterator[Path]:
    """A database with one agent, where a user without privileges may reach it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    asyncio.run(make(folder / "agents.db"))
    (folder / "agents.db").chmod(0o666)
    yield folder / "agents.db"
    folder.chmod(0o777)
    shutil.rmtree(folder)


async def make(path: Path) -> None:
    async with SqliteStore(path) as store:
        await keep_definitions(store)
        await store.create(a_creation())


@contextmanager
def without_privileges() -> Iterator[None]:
    """Permissions do not bind root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def refused_to_open(path: Path, kind: type[StoreError]) -> str:
    before = path.read_bytes()
    with pytest.raises(kind) as refused:
        SqliteStore(path)
    assert path.read_bytes() == before
    assert [beside.name for beside in path.parent.glob(f"{path.name}-*")] == []
    return str(refused.value)


def tampered(path: Path, sql: str) -> None:
    db = apsw.Connection(str(path))
    db.execute(sql)
    db.close()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have a header of its own\n" * 40)
    assert refused_to_open(path, StoreCorrupt) == f"database {path} is not an SQLite database; name another file"


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    tampered(path, "CREATE TABLE theirs (n)")
    assert "is the SQLite database of another program" in refused_to_open(path, StoreCorrupt)
    tampered(path, "DROP TABLE theirs; PRAGMA application_id = 77")
    assert "is the SQLite database of another program" in refused_to_open(path, StoreCorrupt)


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    tampered(path, f"CREATE TABLE head (n); PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99")
    sentence = refused_to_open(path, StoreTooNew)
    assert sentence == (
        f"database {path} has schema version 99, and this fsm-agent knows versions up to {len(MIGRATIONS)}; "
        "upgrade fsm-agent"
    )


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    asyncio.run(make(path))
    tampered(path, "INSERT INTO starts VALUES ('default', 'k', 'a', '')")


def test_damage_is_reported_as_damage(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\xa5" * (len(pages) - 4096)
    path.write_bytes(pages)

    async def look(verb: Callable[[SqliteStore], Awaitable[object]]) -> None:
        async with SqliteStore(path) as store:
            await verb(store)

    verbs: tuple[Callable[[SqliteStore], Awaitable[object]], ...] = (
        lambda store: store.load(ID),
        lambda store: store.list(),
        lambda store: store.commit(a_commit(2)),
    )
    for verb in verbs:
        with pytest.raises(StoreCorrupt, match=f"database {path} is damaged .*restore it from a backup"):
            asyncio.run(look(verb))


def test_a_missing_table_is_damage(path: Path) -> None:
    tampered(path, "DROP TABLE steps")

    async def look() -> None:
        async with SqliteStore(path) as store:
            with pytest.raises(StoreCorrupt, match=r"is damaged .*no such table: .*steps"):
                await store.load(ID)

    asyncio.run(look())


def test_a_read_only_file_can_be_looked_at_and_not_written(path: Path) -> None:
    path.chmod(0o444)

    async def look() -> None:
        async with SqliteStore(path) as store:
            assert [head.id for head in (await store.list()).heads] == [ID]
            before = await all_of(store)
            with pytest.raises(StoreUnavailable, match=f"database {path} is read-only; the file and its folder"):
                await store.commit(a_commit(2))
            assert await all_of(store) == before

    with without_privileges():
        asyncio.run(look())


def test_a_read_only_folder_is_named_as_what_must_be_writable(path: Path) -> None:
    path.parent.chmod(0o555)
    with without_privileges(), pytest.raises(StoreUnavailable, match="is read-only; the file and its folder must be"):
        SqliteStore(path)


def test_what_may_not_be_opened_says_what_must_be_allowed(path: Path) -> None:
    unreadable, unmade = path, path.parent / "locked" / "new.db"
    unreadable.chmod(0o000)
    unmade.parent.mkdir(mode=0o555)
    for closed in (unreadable, unmade):
        with without_privileges(), pytest.raises(StoreUnavailable, match="the file must be readable, and the folder"):
            SqliteStore(closed)


def test_a_full_disk_refuses_the_step_and_keeps_the_agent(path: Path) -> None:
    def limit(db: apsw.Connection) -> apsw.Connection:
        db.execute("PRAGMA max_page_count = 1")  # SQLite raises it to what the file has
        return db

    async def fill() -> None:
        async with SqliteStore(path) as store:
            before = await all_of(store)
            connect = store._writer._connect_patiently
            limit(store._db)
            store._writer._connect_patiently = lambda: limit(connect())
            with pytest.raises(StoreUnavailable, match=f"database {path} cannot grow: the disk is full"):
                await store.commit(a_commit(2, delta=LARGE))
            assert await all_of(store) == before
            await store.commit(a_commit(2))

    asyncio.run(fill())


def test_a_disk_without_room_for_the_index_of_the_log_is_full() -> None:
    error = apsw.IOError("disk I/O error")
    setattr(error, "extendedresult", apsw.SQLITE_IOERR_SHMSIZE)  # noqa: B010 - apsw sets it, and does not declare it
    assert "cannot grow: the disk is full" in str(store_error(error, Path("agents.db")))


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    """The kernel refuses what is written beyond ``limit`` bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_system_refuses_leaves_the_last_step(path: Path) -> None:
    async def write() -> None:
        async with SqliteStore(path) as store:
            await store.commit(a_commit(2))
            before = await all_of(store)
            with files_no_larger_than(65_536):
                with pytest.raises(StoreUnavailable, match=f"database {path} cannot be read or written: "):
                    await store.commit(a_commit(3, delta=LARGE))
                assert await all_of(store) == before
                await store.commit(a_commit(3))
            await store.commit(a_commit(4, delta=LARGE))

    async def look() -> None:
        async with SqliteStore(path) as store:
            assert [step.version for step in await store.history(ID)] == [1, 2, 3, 4]

    asyncio.run(write())
    asyncio.run(look())


def test_a_store_that_is_closed_says_so(path: Path) -> None:
    async def use() -> None:
        store = SqliteStore(path)
        await store.close()
        for verb in (store.head(ID), store.commit(a_commit(2)), store.load_workflow(ORDER.hash)):
            with pytest.raises(StoreUnavailable, match=f"database {path} is closed already; open the store again"):
                await verb

    asyncio.run(use())


@pytest.mark.parametrize("error", [kind for kind in vars(apsw).values() if isinstance(kind, type)])
def test_no_error_of_the_driver_escapes(error: type) -> None:
    if issubclass(error, apsw.Error):
        sentence = str(store_error(error("why"), Path("/some/agents.db")))
        assert sentence.startswith("database /some/agents.db ")
        assert "\n" not in sentence


def test_every_migration_is_run_once_whatever_version_a_file_has(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = (*MIGRATIONS, "CREATE TABLE notes (n)", "ALTER TABLE notes ADD COLUMN m")
    monkeypatch.setattr("fsm_agent.stores.sqlite.schema.MIGRATIONS", later)
    fresh = path.with_name("fresh.db")

    async def look(found: Path) -> None:
        async with SqliteStore(found) as store:
            assert [head.id for head in (await store.list()).heads] in ([ID], [])

    for found in (path, path, fresh, fresh):
        asyncio.run(look(found))
    for found in (path, fresh):
        db = apsw.Connection(str(found))
        assert db.execute("PRAGMA user_version").get == len(later)
        assert db.execute("SELECT n, m FROM notes").get is None
        db.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*MIGRATIONS, "CREATE TABLE notes (n)", "CREATE TABLE notes (n)")
    with monkeypatch.context() as patch:
        patch.setattr("fsm_agent.stores.sqlite.schema.MIGRATIONS", broken)
        with pytest.raises(StoreCorrupt, match="table notes already exists"):
            SqliteStore(path)
    db = apsw.Connection(str(path))
    assert db.execute("PRAGMA user_version").get == len(MIGRATIONS)
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'").get == 0
    db.close()
