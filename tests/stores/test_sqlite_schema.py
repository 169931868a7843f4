"""Files of every earlier schema go on under this one, and whoever still knows only the earlier one is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AppendedMessages, Origin
from fsm_agent.domain.selection import ANYBODY
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Delta
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import StoreCorrupt, StoreTooNew
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite import reindex
from fsm_agent.stores.sqlite.errors import store_error
from fsm_agent.stores.sqlite.migrations import APPLICATION_ID, INDEXED, MIGRATIONS
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, ORDER, a_commit, a_creation, a_head, keep_definitions
from fsm_agent.testing.contract.questions import asked_by, asking
from fsm_agent.testing.contract.selections import selected
from tests.support.thread_verbs import HELLO, use_every_thread_verb

#: versions of whom a file keeps steps; ``short`` had forgotten its first ones
KEPT = {"long": range(1, 41), "brief": range(1, 4), "short": range(20, 36)}
EARLIER = range(1, len(MIGRATIONS))
#: the last schema that kept a history by its versions alone
UNCHAINED = 3

_WORKFLOW = "INSERT INTO workflows VALUES (1, ?, 'order', 1, ?)"
_HEAD = """
INSERT INTO head (namespace, id, agent, workflow, created_ms, state, status, version, updated_ms, cold)
VALUES ('', ?, ?, 1, ?, 'open', 2, ?, ?, '[]')
"""
_STEP = """
INSERT INTO history (agent, version, kind, event, source, target, after_ms) VALUES (?, ?, 2, 'ping', 'open', 'open', ?)
"""
#: What an earlier process says first whenever it writes of an agent, and what it wrote where a step was taken.
_STANDING = "SELECT agent, version FROM head WHERE namespace = '' AND id = 'long'"
_MOVE = "UPDATE head SET version = version + 1 WHERE namespace = '' AND id = 'long'"

WRITTEN = ((_STANDING, ()), (_MOVE, ()), (_STEP, (1, 42, 42)))
#: The same of the last version that knew no questions: what it first said of an agent, and what changes one.
_OF_AGENT = "FROM agents WHERE namespace = '' AND id = 'long'"
UNINDEXED = (
    f"SELECT agent, last_step, version, epoch {_OF_AGENT}",
    f"INSERT INTO steps SELECT NULL, agent, 42, last_step, 2, 'ping', '', '', 0, '', 0, '', '', '', '', '' {_OF_AGENT}",
    "UPDATE agents SET version = version + 1 WHERE namespace = '' AND id = 'long'",
    "UPDATE agents SET epoch = epoch + 1 WHERE namespace = '' AND id = 'long'",
    f"DELETE {_OF_AGENT}",
    "INSERT INTO agents (agent, workflow, namespace, id, created_ms, state, status, version, updated_ms, cold) "
    "VALUES (9, 1, '', 'new', 0, 'open', 2, 1, 0, '[]')",
)
#: The same of the last version that kept when an agent is due without saying since when.
WAKING = (
    "SELECT agent, last_step, workflow, created_ms, status, version, epoch, queued, numbered, wake_ms FROM heads",
    "INSERT INTO steps SELECT NULL, agent, 42, last_step, 2, 'ping', '', '', 0, '', 0, '', '', '', '', '' "
    "FROM heads WHERE id = 'long' AND wake_ms IS NULL",
    "UPDATE heads SET state = 'open', version = 42, epoch = 1, wake_ms = 0, host = NULL WHERE id = 'long'",
    "UPDATE heads SET cold = '[]', wake_ms = 0 WHERE id = 'long'",
    "UPDATE heads SET queued = 1, numbered = 1, wake_ms = 0 WHERE id = 'long'",
    "SELECT id FROM heads WHERE namespace = '' AND wake_ms <= 1 ORDER BY wake_ms",
    "INSERT INTO heads (agent, workflow, namespace, id, created_ms, state, status, version, updated_ms, cold, wake_ms) "
    "VALUES (9, 1, '', 'new', 0, 'open', 2, 1, 0, '[]', 0)",
)
#: What it wrote that is no agent's.
SHARED = (
    ("INSERT INTO workflows (hash, name, version, definition) VALUES ('h', 'w', 1, '{}') ON CONFLICT DO NOTHING", ()),
    ("INSERT INTO threads (namespace, name, last) VALUES ('', 'room', 1) RETURNING thread, last", ()),
    ("SELECT thread FROM threads WHERE namespace = '' AND name = 'room'", ()),
    ("INSERT OR REPLACE INTO users VALUES ('', 'ana', 1, 1, '{}')", ()),
)


TOLD = r"agents.db was upgraded by a newer fsm-agent while this process had it open, and nothing was changed: restart"


def earlier_file(path: Path, migrations: int) -> apsw.Connection:
    """A file as an earlier version made it, by its migrations and its statements, and its connection."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL")
    for migration in MIGRATIONS[: min(migrations, UNCHAINED)]:
        db.execute(migration)
    db.execute(_WORKFLOW, (ORDER.hash, codec.encode(dict(ORDER.to_json()))))
    for agent, (agent_id, versions) in enumerate(KEPT.items(), start=1):
        last = versions[-1]
        db.execute(_HEAD, (agent_id, agent, NEW_YEAR_MS, last, NEW_YEAR_MS + last))
    for version in range(1, 41):
        for agent, versions in enumerate(KEPT.values(), start=1):
            if version in versions:
                db.execute(_STEP, (agent, version, version))
    db.execute("INSERT INTO snapshot VALUES (3, 19, '{}', '{}')")
    if migrations > 1:
        db.execute(
            "INSERT INTO origin VALUES (3, 19, ?, '{}')", (codec.origin_row(Origin(a_head("short", 19), {}))[1],)
        )
        db.execute("UPDATE numbers SET last = 3")
    for migration in MIGRATIONS[UNCHAINED:migrations]:
        db.execute(migration)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {migrations}")
    return db


async def versions_of(store: SqliteStore, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[int]:
    return [step.version for step in await store.history(agent_id, after=after, limit=limit)]


@pytest.mark.parametrize("migrations", EARLIER)
def test_a_file_of_an_earlier_schema_keeps_every_step_and_goes_on(tmp_path: Path, migrations: int) -> None:
    earlier_file(tmp_path / "agents.db", migrations).close()

    async def go_on() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            for agent_id, versions in KEPT.items():
                if agent_id != "short" or migrations > 1:  # the first schema could not forget
                    assert await versions_of(store, agent_id) == list(versions)
                following = versions[-1] + 1
                await store.commit(a_commit(following, head={"id": agent_id}))
                assert (await versions_of(store, agent_id, after=versions[-1])) == [following]
                first = (await store.load(agent_id)).tail[0]
                assert (first.version, first.at_ms) == (versions[0], NEW_YEAR_MS + versions[0])
            await keep_definitions(store)
            await store.create(a_creation("new"))
            await store.create(a_creation("agent-1"))
            await use_every_thread_verb(store, 2, epoch=1)

    asyncio.run(go_on())


@pytest.mark.parametrize("migrations", EARLIER)
def test_a_process_that_knows_the_earlier_schema_and_is_still_there_writes_nothing_more(
    tmp_path: Path, migrations: int
) -> None:
    path = tmp_path / "agents.db"
    earlier = earlier_file(path, migrations)
    if migrations <= UNCHAINED:
        earlier.execute(_MOVE)
        earlier.execute(_STEP, (1, 41, 41))

    async def upgrade() -> None:
        async with SqliteStore(path) as store:
            before = await store.load("long")
            known = [
                *WRITTEN,
                *((statement, ()) for statement in UNINDEXED),
                *(SHARED if migrations > 2 else SHARED[:1]),
            ]
            for statement, values in known:
                with pytest.raises(apsw.SQLError) as refused:
                    earlier.execute(statement, values)
                assert "a newer fsm-agent has upgraded this file: restart with that one" in str(
                    store_error(refused.value, str(path))
                )
            assert await store.load("long") == before
            await store.commit(a_commit(before.head.version + 1, head={"id": "long"}))

    asyncio.run(upgrade())
    earlier.close()


def test_a_process_that_knows_no_time_since_when_an_agent_is_due_is_told_of_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    earlier = earlier_file(path, INDEXED)
    for statement in WAKING:
        earlier.execute("BEGIN")
        earlier.execute(statement)
        earlier.execute("ROLLBACK")

    async def upgrade() -> None:
        async with SqliteStore(path) as store:
            before = [await store.load(agent_id) for agent_id in ("long", "brief")]
            for statement in WAKING:
                with pytest.raises(apsw.SQLError, match=r"no such column: wake_ms|has no column named wake_ms"):
                    earlier.execute(statement)
            assert [await store.load(agent_id) for agent_id in ("long", "brief")] == before

    asyncio.run(upgrade())
    earlier.close()


@pytest.mark.parametrize("migrations", EARLIER)
def test_who_was_due_in_an_earlier_file_is_due_since_its_last_step(tmp_path: Path, migrations: int) -> None:
    earlier = earlier_file(tmp_path / "agents.db", migrations)
    table = "head" if migrations <= UNCHAINED else "agents" if migrations < INDEXED else "heads"
    say(earlier, table, a_head("long", status=Status.RUNNING))
    say(earlier, table, a_head("brief", status=Status.RUNNING))
    say(earlier, table, a_head("short", timers=(ArmedTimer("open", "1ms", NEW_YEAR_MS + 37),)))
    until_ms = NEW_YEAR_MS + 38
    earlier.execute(f"UPDATE {table} SET host = 'h', pid = 1, started_ms = 1, until_ms = {until_ms} WHERE id = 'brief'")  # noqa: S608
    earlier.close()

    async def look() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            assert await store.due(NEW_YEAR_MS + 37, 9) == ["short", "long"]
            assert await store.due(NEW_YEAR_MS + 38, 9) == ["short", "brief", "long"]
            assert [damage for damage in await store.inspect() if damage.is_index] == []

    asyncio.run(look())


def say(earlier: apsw.Connection, table: str, head: Head) -> None:
    """Have an agent of an earlier file say this."""
    row = codec.moving_row(head)
    values = (row.status, row.cold, head.wake_ms, head.id)
    earlier.execute(f"UPDATE {table} SET status = ?, cold = ?, wake_ms = ? WHERE id = ?", values)  # noqa: S608


def spoil(earlier: apsw.Connection, table: str) -> None:
    """Add agents whose heads cannot be read."""
    columns = "workflow, created_ms, state, status, version, updated_ms"
    for number, cold in enumerate(("'[null,'", "CAST(x'5bff5d' AS TEXT)", "'[1,2,3,4,5,6,7]'")):
        what = f"SELECT namespace, 'spoilt{number}', 9{number}, {columns}, {cold} FROM {table} WHERE id = 'long'"  # noqa: S608
        earlier.execute(f"INSERT INTO {table} (namespace, id, agent, {columns}, cold) {what}")


@pytest.mark.parametrize("migrations", range(1, INDEXED))
def test_the_questions_and_users_of_an_earlier_file_are_indexed_when_it_is_opened(
    tmp_path: Path, migrations: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fsm_agent")
    earlier, table = earlier_file(tmp_path / "agents.db", migrations), "head" if migrations <= UNCHAINED else "agents"
    say(earlier, table, a_head("long", **asking("ana", "half: \ud83d", due=7)))
    say(earlier, table, a_head("brief", user="Zoë", **asking()))
    say(earlier, table, a_head("short", user="bob", status=Status.DONE, asked=Asked("late", ("ana",))))
    spoil(earlier, table)
    earlier.close()

    async def look() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            assert await asked_by(store) == ["long", "brief"]
            assert await asked_by(store, to="ana") == await asked_by(store, to="half: \ud83d") == ["long"]
            assert await asked_by(store, to=ANYBODY) == ["brief"]
            assert await selected(store, user="Zoë", newest=True) == ["brief"]
            assert await selected(store, user="bob", statuses=[Status.DONE]) == ["short"]
            assert [tally.agents for tally in await store.tally()] == [1, 5]
            assert [damage for damage in await store.inspect() if damage.is_index] == []
            assert await store.reindex() == 0
            assert {damage.agent_id for damage in (await store.list()).damaged} == {f"spoilt{n}" for n in range(3)}

    asyncio.run(look())
    [told] = [record for record in caplog.records if getattr(record, "action", "") == "store_upgraded"]
    assert (told.from_version, told.indexed) == (migrations, 3)  # type: ignore[attr-defined]
    assert told.getMessage().endswith(f"agents.db was upgraded from schema version {migrations}")
    asyncio.run(look())
    assert len([record for record in caplog.records if getattr(record, "action", "") == "store_upgraded"]) == 1


def test_an_upgrade_that_is_cut_off_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agents.db"
    earlier = earlier_file(path, INDEXED - 1)
    before = sorted(earlier.execute("SELECT name, sql FROM sqlite_schema"), key=str)

    def cut_off(_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reindex, "fill", cut_off)
        with pytest.raises(KeyboardInterrupt):
            SqliteStore(path)
    assert sorted(earlier.execute("SELECT name, sql FROM sqlite_schema"), key=str) == before
    assert earlier.execute("PRAGMA user_version").get == INDEXED - 1
    earlier.execute(UNINDEXED[2])
    earlier.close()
    asyncio.run(SqliteStore(path).close())


def test_a_process_whose_file_is_upgraded_meanwhile_is_told_so_and_writes_nothing(tmp_path: Path) -> None:
    """What a newer fsm-agent may make of the tables: it brings the version up, and may take away what is looked for."""
    path = tmp_path / "agents.db"

    async def go_on() -> None:
        async with SqliteStore(path) as store:
            await keep_definitions(store)
            await store.create(a_creation())
            newer = apsw.Connection(str(path))
            newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
            content = list(newer.execute("SELECT * FROM definitions"))
            other = Workflow("other", 1, "open", (State("open"),))
            said = a_commit(2)._replace(said=(AppendedMessages("room", (HELLO,)),))
            for write in (
                store.append("room", [HELLO]),
                store.revise("room", [HELLO]),
                store.retract("room"),
                store.save_user(UserRecord("ana", 1)),
                store.save_workflow(other.hash, other.to_json()),
                store.commit(said),
            ):
                with pytest.raises(StoreTooNew, match=TOLD):
                    await write
            assert list(newer.execute("SELECT * FROM definitions")) == content
            assert list(newer.execute("SELECT * FROM thread_names, user_records, messages")) == []
            newer.execute("DROP TABLE steps")
            for read in (store.load(ID), store.history(ID), store.commit(a_commit(2))):
                with pytest.raises(StoreTooNew, match=TOLD):
                    await read
            newer.close()

    asyncio.run(go_on())


@pytest.mark.parametrize("agent_id", KEPT)
def test_any_page_of_a_history_is_what_the_whole_one_has_there(tmp_path: Path, agent_id: str) -> None:
    earlier_file(tmp_path / "agents.db", len(MIGRATIONS) - 1).close()

    async def turn_pages() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            for after in range(45):
                above = [version for version in KEPT[agent_id] if version > after]
                for limit in (1, 2, 15, 16, 17, 50):
                    assert await versions_of(store, agent_id, after=after, limit=limit) == above[:limit]

    asyncio.run(turn_pages())


def test_a_number_that_was_forgotten_and_is_somebody_elses_now_ends_a_history(tmp_path: Path) -> None:
    """SQLite gives the number of a forgotten last row to the next one."""

    async def forget() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation("b"))
            await store.create(a_creation("a"))
            await store.commit(a_commit(2, head={"id": "a"}))
            seen = await store.head("a")
            assert await store.shorten(seen, Origin(seen, {})) == 2
            await store.commit(a_commit(2, head={"id": "b"}))
            await store.commit(a_commit(3, head={"id": "b"}))
            assert await versions_of(store, "a") == []
            await store.commit(a_commit(3, epoch=None, head={"id": "a"}))
            assert await versions_of(store, "a") == [3]
            assert await versions_of(store, "b") == [1, 2, 3]
            assert (await store.size("a")).steps == 1
            await store.delete(await store.head("a"))
            assert await versions_of(store, "b") == [1, 2, 3]

    asyncio.run(forget())


LONG = {"text": "what an agent begins with, and begins with again " * 9}


def test_what_an_agent_begins_with_is_packed_and_told_as_it_was(tmp_path: Path) -> None:
    async def begin() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation("brief", delta=Delta({"n": 1})))
            await store.create(a_creation("long", delta=Delta(LONG)))
            kept = [delta for (delta,) in store._db.execute("SELECT delta FROM steps ORDER BY step")]
            assert kept[0] == '{"n":1}'
            assert isinstance(kept[1], bytes)
            assert len(kept[1]) < 100
            assert (await store.history("long"))[0].delta == Delta(LONG)
            assert (await store.load("long")).tail[0].delta == Delta(LONG)

    asyncio.run(begin())


def test_bytes_that_cannot_be_unpacked_are_damage(tmp_path: Path) -> None:
    async def look() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation("long", delta=Delta(LONG)))
            store._db.execute("UPDATE steps SET delta = x'00'")
            with pytest.raises(
                StoreCorrupt, match=r"agent 'long' is damaged in steps: what a store keeps of a step is damaged"
            ):
                await store.load("long")

    asyncio.run(look())
