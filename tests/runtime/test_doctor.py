"""`doctor` names every damaged value of an SQLite file, changes nothing, and everything else goes on meanwhile."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from fsm_agent.domain.defect import Defect
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.errors import StoreError
from fsm_agent.runtime.maintenance.inspection import inspect
from fsm_agent.runtime.processes import this_host
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.stores.urls import open_store
from tests.support.damaged_store import BAD, GOOD, LONG, defects_of, others_go_on, two_agents
from tests.support.runtime import dead_process, on_loop
from tests.support.shop import Shop

OF_BAD: Final = "agent = (SELECT agent FROM heads WHERE id = 'bad')"
#: table -> its rows that are damaged: none that another agent needs
ROWS: Final = {
    "heads": "id = 'bad'",
    "steps": f"{OF_BAD} AND version = 12",
    "snapshot": OF_BAD,
    "origin": OF_BAD,
    "queue": OF_BAD,
    "keys": f"{OF_BAD} AND key = 'late'",
    "effects": OF_BAD,
    "starts": "id = 'bad'",
    "definitions": "name = 'long'",
    "thread_names": "name = 'room'",
    "messages": "true",
    "user_records": "name = 'ana'",
    "numbers": "true",
    "questions": "id = 'bad'",
    "labels": "id = 'bad'",
}
#: Whose damage is said to be an agent's.
AGENTS: Final = {"heads", "questions", "labels", "steps", "snapshot", "origin", "queue", "keys", "effects"}
JSON: Final = {
    "heads.cold", "definitions.definition", "snapshot.appended_since", "snapshot.data", "queue.event", "origin.head",
    "origin.data", "messages.content", "steps.delta", "user_records.data",
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FakeClock]:
    """A file in which every table has rows of both agents, and the time."""
    path = tmp_path_factory.mktemp("sound") / "agents.db"
    clock = asyncio.run(two_agents(f"sqlite:///{path}"))
    db = apsw.Connection(str(path))
    for table, rows in ROWS.items():
        query = f"SELECT count(*) FROM {table} WHERE {rows}"  # noqa: S608 - words of this file
        assert db.execute(query).get, table
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path, clock


def tables_of(path: Path) -> set[str]:
    db = apsw.Connection(str(path))
    try:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    finally:
        db.close()


def columns_of(path: Path, table: str) -> list[tuple[str, str, bool]]:
    """Names, types and whether they may be null."""
    db = apsw.Connection(str(path))
    try:
        found = list(db.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,)))
        return [(name, kind, not needed and not key) for name, kind, needed, key in found]
    finally:
        db.close()


def values_of(table: str, name: str, kind: str, *, may_miss: bool) -> Iterator[str]:
    """What a column of this kind may not be, as expressions."""
    if kind == "INTEGER":
        yield "'words'"
    else:
        yield "CAST(x'41ff' AS TEXT)"
    if not may_miss:
        yield "NULL"
    elif kind != "ANY":
        yield "x'00ff'"
    if f"{table}.{name}" in JSON:
        yield f"substr({name}, 1, 1)"
        yield f"'[1,' || char(0) || {name}"


def spoil(path: Path, table: str, column: str, value: str) -> bool:
    """Put a value where the table's own rules would not let it in; False if not even SQLite could."""
    db = apsw.Connection(str(path))
    try:
        (sql,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        loose = sql.replace("STRICT, ", "").replace("STRICT", "").replace(" NOT NULL", "")
        _rewrite(db, table, loose)
        db.close()
        db = apsw.Connection(str(path))
        try:
            db.execute(f"UPDATE {table} SET {column} = {value} WHERE {ROWS[table]}")  # noqa: S608 - words of this file
        except (apsw.MismatchError, apsw.ConstraintError):
            return False
        changed = db.changes()
        _rewrite(db, table, sql)
        return bool(changed)
    finally:
        db.close()


def _rewrite(db: apsw.Connection, table: str, sql: str) -> None:
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, table))
    version = db.execute("PRAGMA schema_version").get
    db.execute(f"PRAGMA schema_version = {version + 1}")
    db.execute("PRAGMA writable_schema = OFF")


def test_every_table_is_damaged_here(sound: tuple[Path, FakeClock]) -> None:
    assert tables_of(sound[0]) == {*ROWS}


@pytest.mark.long
@pytest.mark.parametrize("table", ROWS)
def test_any_damaged_column_is_named_and_everything_else_goes_on(
    sound: tuple[Path, FakeClock], table: str, tmp_path: Path
) -> None:
    path, tried = tmp_path / "agents.db", 0
    for name, kind, may_miss in columns_of(sound[0], table):
        for value in values_of(table, name, kind, may_miss=may_miss):
            shutil.copy(sound[0], path)
            if not spoil(path, table, name, value):
                continue
            tried += 1
            clock = FakeClock(sound[1].ms)
            asyncio.run(_look(path, clock, table, f"{table}.{name} = {value}"))
            for beside in path.parent.glob("agents.db*"):
                beside.unlink()
    assert tried


async def _look(path: Path, clock: FakeClock, table: str, case: str) -> None:
    async with SqliteStore(path, clock=clock) as store:
        content = store._db.serialize("main")
        found = await defects_of(store)
        defects = [defect for defect in found if defect.place == table or f" (in {table})" in defect.what]
        assert defects, case
        is_of_nobody = case.startswith(tuple(f"{table}.{name} " for name in ("id", "namespace"))) or ".agent " in case
        if table in AGENTS and not is_of_nobody:
            assert {defect.agent for defect in defects} == {BAD}, case
        assert all(defect.what and defect.advice for defect in defects)
        assert store._db.serialize("main") == content, "it is read only"
        await others_go_on(store, clock)


DELETED: Final = {
    "heads": "steps",
    "steps": "steps",
    "queue": "queue",
    "definitions": "definitions",
    "thread_names": "messages",
    "numbers": "numbers",
    "origin": "steps",
    "snapshot": "steps",
}


@pytest.mark.parametrize("table", DELETED)
def test_rows_that_are_gone_are_missed(sound: tuple[Path, FakeClock], table: str, tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    shutil.copy(sound[0], path)
    db = apsw.Connection(str(path))
    db.execute(f"DELETE FROM {table} WHERE {ROWS[table]}")  # noqa: S608 - words of this file
    db.close()
    asyncio.run(_look(path, FakeClock(sound[1].ms), DELETED[table], ".agent of "))


@pytest.mark.long
def test_a_file_with_any_byte_flipped_is_read_or_refused_in_words_of_ours(
    sound: tuple[Path, FakeClock], tmp_path: Path
) -> None:
    path, content = tmp_path / "agents.db", sound[0].read_bytes()
    chance = random.Random(7)  # noqa: S311 - the same bytes each time

    async def look() -> None:
        async with SqliteStore(path, clock=FakeClock(sound[1].ms)) as store:
            for read in (store.list, lambda: store.load(BAD), lambda: inspect(store), lambda: store.due(2**60, 9)):
                with suppress(StoreError):
                    await read()

    for _ in range(100):
        spoilt, at = bytearray(content), chance.randrange(100, len(content))
        spoilt[at] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        with suppress(StoreError):
            asyncio.run(look())
        for beside in path.parent.glob("agents.db-*"):
            beside.unlink()


@on_loop
async def test_what_does_not_add_up_with_its_history_is_named(sound: tuple[Path, FakeClock], tmp_path: Path) -> None:
    for change in (
        "heads SET state = 'done' WHERE id = 'bad'",
        f"steps SET kind = 17 WHERE {OF_BAD} AND version = 12",
    ):
        shutil.copy(sound[0], tmp_path / "agents.db")
        async with SqliteStore(tmp_path / "agents.db", clock=sound[1]) as store:
            store._db.execute(f"UPDATE {change}")
            defects = await defects_of(store)
            assert {(defect.agent, defect.place) for defect in defects} == {(BAD, "history")}
            assert "`fsm-agent replay bad` shows the whole history" in defects[0].advice


@on_loop
async def test_an_agent_that_no_worker_finds_is_named(sound: tuple[Path, FakeClock], tmp_path: Path) -> None:
    shutil.copy(sound[0], tmp_path / "agents.db")
    async with SqliteStore(tmp_path / "agents.db", clock=sound[1]) as store:
        store._db.execute("UPDATE heads SET due_since_ms = NULL WHERE id = 'good'")
        assert {(each.agent, each.place) for each in await defects_of(store)} == {
            (GOOD, "heads"),
            (GOOD, "due agents"),
        }


def _lease_defects(defects: list[Defect]) -> list[tuple[str | None, str]]:
    return [(each.agent, each.what) for each in defects if each.place == "lease"]


@on_loop
async def test_leases_of_the_dead_and_leases_without_end_are_named() -> None:
    clock = FakeClock()
    store = open_store("memory://", clock=clock)
    await two_agents(store, clock)
    dead, far = dead_process(), Holder("elsewhere", 7, clock.ms)

    async def held(holder: Holder, until_ms: int) -> list[tuple[str | None, str]]:
        await store.claim(GOOD, await store.head(GOOD), Lease(holder, until_ms))
        return _lease_defects(await defects_of(store))

    assert await held(dead, clock.ms + 5_000) == [(GOOD, f"{dead} holds it, and that process is gone")]
    assert await held(far, clock.ms + 5_000) == []
    lasting = await held(far, clock.ms + 10**10)
    assert lasting == [(GOOD, f"{far} holds it for more than an hour from now on")]
    gone = await held(far, clock.ms - 10**6)
    assert gone == [(GOOD, f"{far} held it, its lease has run out, and nobody has taken it over")]
    assert this_host() == dead.host


@on_loop
async def test_a_store_of_every_kind_is_sound_as_long_as_nobody_damages_it(every_url: str) -> None:
    clock = FakeClock()
    store: Store = open_store(every_url, clock=clock)
    await two_agents(store, clock)
    async with open_store(every_url, clock=clock) if every_url != "memory://" else store as again:
        inspection = await inspect(again)
        assert inspection.to_json() == {
            "sound": True, "agents": 2, "unreadable": 0, "definitions": 2, "threads": 1, "users": 1, "findings": [],
        }  # fmt: skip
        assert await again.definitions(limit=1) == sorted(await again.definitions())[:1]
        assert LONG.hash in await again.definitions()


def test_the_command_says_what_is_wrong_where_and_what_to_do(shop: Shop) -> None:
    shop.order()
    sound = shop("doctor")
    assert (sound.code, sound.out) == (0, "nothing is wrong\n")
    assert sound.err == "looked at 1 agent, 1 definition, 0 shared threads, 0 users: 0 findings\n"
    db = apsw.Connection("fsm-agent.db")
    db.execute("UPDATE heads SET status = 99")
    db.close()
    found = shop("--json", "doctor")
    assert found.code == 1
    assert list(found.json) == ["sound", "agents", "unreadable", "definitions", "threads", "users", "findings"]
    assert (found.json["sound"], found.json["agents"]) == (False, 1)
    [finding] = found.json["findings"]
    assert list(finding) == ["agent", "place", "what", "advice"]
    assert (finding["agent"], finding["place"]) == ("one", "heads")
    told = shop("doctor")
    assert (told.code, "one    heads" in told.out, "1 finding" in told.err) == (1, True, True)
    assert told.err.startswith("looked at 1 agent (1 of them cannot be read), 1 definition, ")


def test_lists_sizes_and_purges_name_whom_they_leave_out(shop: Shop) -> None:
    shop.order("one")
    shop.order("two")
    db = apsw.Connection("fsm-agent.db")
    db.execute("UPDATE heads SET status = 99 WHERE id = 'two'")
    db.close()
    for words in (["list"], ["size"]):
        done = shop(*words)
        assert (done.code, "one" in done.out, "two" in done.out) == (0, True, False)
        assert done.err.startswith("1 agent is left out, being damaged: two in heads (")
        assert done.err.endswith("; `fsm-agent doctor` says what to do\n")
        told = shop("--json", *words)
        assert (told.code, told.err, [each["id"] for each in told.json["damaged"]]) == (0, "", ["two"])
        assert list(told.json["damaged"][0]) == ["id", "place", "what"]
    purged = shop("--json", "purge", "--finished", "0s")
    assert (purged.code, [each["id"] for each in purged.json["left"]]) == (0, ["two"])
    forgotten = shop("--json", "forget", "ana", "--yes")
    assert (forgotten.code, [each["id"] for each in forgotten.json["left"]]) == (1, ["two"])
    db = apsw.Connection("fsm-agent.db")
    db.execute("INSERT INTO thread_names VALUES (7, '', 'room', 1)")
    db.execute("INSERT INTO messages VALUES (7, 1, 2, 0, 0, 0, 'ana', '[', NULL)")
    db.close()
    forgotten = shop("--json", "forget", "ana", "--yes")
    assert (forgotten.code, [each["id"] for each in forgotten.json["left"]]) == (1, ["two", "thread room"])
    swept = shop("resume")
    assert swept.code == 0


def spoilt(shop: Shop, change: str, *words: str) -> Any:
    """What a command says of the shop with one row changed."""
    db = apsw.Connection("fsm-agent.db")
    db.execute(f"UPDATE {change}")
    assert db.changes()
    db.close()
    return shop(*words)


def findings_of(shop: Shop, change: str) -> list[tuple[str | None, str, str, str]]:
    found = spoilt(shop, change, "--json", "doctor")
    assert found.code == 1
    return [tuple(each.values()) for each in found.json["findings"]]


def test_data_that_its_definition_does_not_declare_are_named_and_not_verified(shop: Shop) -> None:
    shop.order()
    *_, (agent, place, what, advice) = findings_of(shop, """steps SET delta = '{"item":5}' WHERE version = 2""")
    assert (agent, place) == ("one", "history")
    assert what == 'the data is not as its definition declares it: item: 5 is not of types "null", "string"'
    assert "rewind to a version that adds up, or restore a backup" in advice
    replayed = shop("replay", "one")
    assert (replayed.code, "verified" in replayed.out, what in replayed.out) == (1, False, True)


def test_a_version_that_no_agent_has_is_named(shop: Shop) -> None:
    shop.order()
    [(agent, place, what, _)] = findings_of(shop, "heads SET version = -1")
    assert (agent, place, what.partition(";")[0]) == ("one", "head", "its version is -1, and versions begin at 1")
    for command in ("replay", "show", "history"):
        told = shop(command, "one")
        assert (told.code, "its version is -1" in told.err) == (1, True)


def test_no_terminal_is_fed_an_id_as_it_stands_in_a_row_and_the_doctor_names_it(shop: Shop) -> None:
    shop.order()
    change = "heads SET id = 'a' || char(27) || '[31m' || char(155) || '1mb'"
    [(agent, what)] = [(each[0], each[2]) for each in findings_of(shop, change) if each[1] == "head"]
    assert (agent, what) == ("a\x1b[31m\x9b1mb", "its id is none that an agent is given, and cannot be typed")
    for words in (["list"], ["list", "--waiting"], ["doctor"], ["--json", "list"], ["--json", "doctor"], ["size"]):
        told = shop(*words)
        assert not {"\x1b", "\x9b"} & set(told.out + told.err), words
    assert shop("--json", "list").json["agents"][0]["id"] == agent


def test_an_id_that_was_emptied_is_counted_and_named(shop: Shop) -> None:
    shop.order("one")
    shop.order("two")
    found = findings_of(shop, "heads SET id = '' WHERE id = 'two'")
    [(agent, what)] = [(each[0], each[2]) for each in found if each[1] == "head"]
    assert (agent, what) == ("", "its id is none that an agent is given, and cannot be typed")
    assert shop("doctor").err.startswith("looked at 2 agents, ")


def test_a_damaged_definition_is_told_once_with_all_agents_that_it_concerns(shop: Shop) -> None:
    for name in ("one", "two", "three"):
        shop.order(name)
    [(agent, place, what, _)] = findings_of(shop, "definitions SET definition = '{'")
    digest = place.removeprefix("definition ")
    assert (agent, len(digest)) == (None, 12)
    assert what == "it is no JSON from character 2 on (in definitions); 3 agents are pinned to it"
    listed = shop("list")
    assert listed.err.startswith(f"3 agents are left out, being damaged: one, three, two in its definition {digest} (")
    assert listed.err.count(digest) == 1
    assert "looked at 3 agents (3 of them cannot be read), 1 definition," in shop("doctor").err
    db = apsw.Connection("fsm-agent.db")
    db.execute("DELETE FROM definitions")
    db.close()
    [finding] = shop("--json", "doctor").json["findings"]
    assert finding["what"] == "the definitions of 3 agents are not kept any more: one, three, two"


#: what is changed in the rows of one agent, and how that is told
WORDS = [
    ("heads SET due_since_ms = 5", "by its due_since_ms it is due at 1970-01-01T00:00:00.005+00:00, by its head at 20"),
    ("heads SET status = 77", "its status is 77, and there are those from 1 to 6"),
    ("steps SET kind = 15 WHERE version = 2", "the kind of version 2 is 15, which no step has"),
    (
        "heads SET cold = replace(cold, 'Pack', 'Lose')",
        'question: the history tells question 2, "Pack book?", the store says question 2, "Lose book?"',
    ),
    (
        "steps SET target = 'nope' WHERE version = 2",
        "version 2: it cannot have happened as it is told, and nothing after it: it names 'nope', which its definition",
    ),
    ("heads SET updated_ms = created_ms + 1", "time of the last step: the history tells 20"),
]


@pytest.mark.parametrize(("change", "what"), WORDS)
def test_damage_is_told_in_sentences_and_not_in_the_words_of_python(shop: Shop, change: str, what: str) -> None:
    shop.order()
    told = " ".join(finding[2] for finding in findings_of(shop, change))
    assert what in told
    assert not re.search(r"Error\b|\w+\(\w+=|\('|None\b", told), told


def test_every_command_that_is_told_of_damage_is_one_to_be_typed_here(shop: Shop) -> None:
    url = f"sqlite:///{shop.folder / 'fsm-agent.db'}"
    shop.order("one")
    shop.order("two")
    db = apsw.Connection("fsm-agent.db")
    db.execute("UPDATE heads SET status = 99 WHERE id = 'two'")
    db.execute("UPDATE steps SET event = 'nope' WHERE agent = (SELECT agent FROM heads WHERE id = 'one')")
    db.close()
    for words in (["show", "two"], ["list"], ["purge", "--finished", "0s"], ["doctor"], ["replay", "two"], ["size"]):
        for form in ([], ["--json"]):
            told = shop("--store", url, *form, *words)
            said = told.out + told.err
            assert said.count("`fsm-agent") == said.count(f"`fsm-agent --store {url} "), (words, said)
    assert f"`fsm-agent --store {url} replay one` shows" in shop("--store", url, "doctor").out


#: what an index says wrongly of one agent or of none, and how it is told
MENDED: Final = {
    "questions: it is left out": ("DELETE FROM questions WHERE id = 'bad'", "the list of open questions leaves it out"),
    "questions: a row is gone": (
        "DELETE FROM questions WHERE id = 'bad' AND who = x''",
        "the list of open questions has it under another deadline, addressee or workflow",
    ),
    "questions: another deadline": (
        "UPDATE questions SET due_ms = 7 WHERE id = 'bad'",
        "the list of open questions has it under another deadline, addressee or workflow",
    ),
    "heads: a step does not know of the question": (
        "UPDATE heads SET asks = NULL WHERE id = 'bad'",
        "its asks is not what follows from the rest of it",
    ),
    "questions: nobody": (
        "INSERT INTO questions VALUES ('', x'2a', 1, 1, 'nobody', 1)",
        "it stands there, and there is no such agent",
    ),
    "labels: it is left out": ("DELETE FROM labels WHERE id = 'bad'", "it is not found by its labels and its user"),
    "labels: another text": (
        "UPDATE labels SET text = x'39' WHERE id = 'bad'",
        "it is not found by its labels and its user, or by others",
    ),
    "labels: nobody": (
        "INSERT INTO labels VALUES ('', x'3d61', x'31', 'nobody', 1)",
        "it stands there, and there is no such agent",
    ),
    "heads: another due time": (
        "UPDATE heads SET due_since_ms = 5 WHERE id = 'bad'",
        "by its due_since_ms it is due at 1970",
    ),
}


@pytest.mark.parametrize("case", MENDED)
@on_loop
async def test_an_index_that_says_something_else_is_named_and_mended(
    sound: tuple[Path, FakeClock], tmp_path: Path, case: str
) -> None:
    shutil.copy(sound[0], tmp_path / "agents.db")
    async with SqliteStore(tmp_path / "agents.db", clock=sound[1]) as store:
        whole = everything(store)
        change, told = MENDED[case]
        store._db.execute(change)
        found = [each for each in await defects_of(store) if told in each.what]
        assert [(each.agent, each.place) for each in found] == [
            ("nobody" if "nobody" in change else BAD, case.partition(":")[0])
        ]
        assert found[0].advice == "`fsm-agent doctor --repair` makes the index say what the agents say"
        assert await store.reindex() == 1
        assert everything(store) == whole
        assert (await defects_of(store), await store.reindex()) == ([], 0)


def everything(store: SqliteStore) -> dict[str, list[object]]:
    """All rows of all tables."""
    names = [name for (name,) in store._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: list(store._db.execute(f"SELECT * FROM {name} ORDER BY 1, 2")) for name in names}  # noqa: S608


@on_loop
async def test_a_step_mends_the_index_of_its_agent_and_is_stopped_by_no_row_that_is_left_over(
    sound: tuple[Path, FakeClock], tmp_path: Path
) -> None:
    shutil.copy(sound[0], tmp_path / "agents.db")
    async with SqliteStore(tmp_path / "agents.db", clock=sound[1]) as store:
        for change in (
            "UPDATE heads SET asks = x'00' WHERE id = 'bad'",
            "UPDATE heads SET asks = NULL WHERE id = 'bad'",
        ):
            store._db.execute(change)
            await Runner(store).send(BAD, "note")
            assert [head.id for head in (await store.questions()).heads] == [GOOD, BAD]
            assert await store.reindex() == 0
        store._db.execute("UPDATE heads SET asks = x'00' WHERE id = 'bad'")
        await Runner(store).cancel(BAD)
        assert [head.id for head in (await store.questions()).heads] == [GOOD]


@pytest.mark.parametrize("table", ["questions", "labels"])
def test_whatever_stands_in_an_index_is_mended(sound: tuple[Path, FakeClock], tmp_path: Path, table: str) -> None:
    """But for a row of a namespace that is none: it is nobody's."""

    async def mend(path: Path) -> None:
        async with SqliteStore(path, clock=FakeClock(sound[1].ms)) as store:
            assert await store.reindex() in (1, 2)
            assert await defects_of(store) == []
            assert [head.id for head in (await store.questions()).heads] == [GOOD, BAD]

    path = tmp_path / "agents.db"
    for name, kind, may_miss in columns_of(sound[0], table):
        for value in values_of(table, name, kind, may_miss=may_miss):
            shutil.copy(sound[0], path)
            is_lost = name == "namespace" or (name, value) == ("id", "NULL")
            if not is_lost and spoil(path, table, name, value):
                asyncio.run(mend(path))
            for beside in path.parent.glob("agents.db*"):
                beside.unlink()


def test_the_command_mends_indexes_and_says_for_how_many_agents(shop: Shop) -> None:
    shop.order("one")
    shop.order("two")
    db = apsw.Connection("fsm-agent.db")
    db.execute("DELETE FROM questions WHERE id = 'two'")
    db.close()
    assert [finding[:2] for finding in findings_of(shop, "heads SET due_since_ms = 5 WHERE id = 'one'")] == [
        ("one", "heads"),
        ("two", "questions"),
    ]
    told = shop("doctor", "--repair")
    assert (told.code, told.out) == (0, "nothing is wrong\n")
    assert told.err.startswith("indexes were mended for 2 agents\nlooked at 2 agents, ")
    assert shop("--json", "doctor", "--repair").json["mended"] == 0
    assert "mended" not in shop("--json", "doctor").json
