"""Who is due and who is held in SQLite: what that costs, and what a step writes of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, LEASE, PING, a_commit, a_creation, keep_definitions
from tests.support.runtime import on_loop

RUNNING: dict[str, Any] = {"status": Status.RUNNING}
THERE = Lease(Holder("there", 9, 1), LEASE.until_ms)


def due_since(store: SqliteStore, agent_id: str = ID) -> int | None:
    found: int | None = store._db.execute("SELECT due_since_ms FROM heads WHERE id = ?", (agent_id,)).get
    return found


def noting(told: list[str]) -> Callable[[apsw.Cursor, str, Any], bool]:
    """Has the first word of each statement noted."""

    def note(_: apsw.Cursor, sql: str, __: Any) -> bool:
        told.append(sql.split(maxsplit=1)[0])
        return True

    return note


async def work_of(store: SqliteStore, call: Callable[[], Awaitable[object]]) -> int:
    """How many instructions of its own SQLite needs for a call."""
    done = 0

    def count() -> bool:
        nonlocal done
        done += 1
        return False

    store._db.set_progress_handler(count, 1)
    await call()
    store._db.set_progress_handler(None)
    return done


@on_loop
async def test_what_due_and_take_cost_does_not_depend_on_how_many_are_held_or_wait(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS + 9)) as store:
        await keep_definitions(store)
        costs = []
        for crowd in (1, 300):
            for number in range(crowd):
                at_work = a_creation(f"{crowd}-held-{number}", lease=LEASE, **RUNNING)
                later = (ArmedTimer("open", "1h", NEW_YEAR_MS + 3_600_000),)
                await store.create(at_work)
                await store.create(a_creation(f"{crowd}-waits-{number}", timers=later))
            costs.append([await work_of(store, call) for call in (lambda: store.due(NEW_YEAR_MS + 9, 9), take(store))])
        assert costs[0] == costs[1]


def take(store: SqliteStore) -> Callable[[], Awaitable[object]]:
    return lambda: store.take(9, THERE)


@on_loop
async def test_of_very_many_who_are_due_no_more_are_looked_at_than_are_wanted(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS + 99)) as store:
        await keep_definitions(store)
        costs = []
        for crowd in (10, 300):
            for number in range(crowd):
                lapsed = Lease(LEASE.holder, NEW_YEAR_MS + 50)
                await store.create(a_creation(f"{crowd}-at-once-{number}", **RUNNING))
                await store.create(a_creation(f"{crowd}-lapsed-{number}", lease=lapsed, **RUNNING))
            costs.append(await work_of(store, lambda: store.due(NEW_YEAR_MS + 99, 9)))
        assert costs[0] == costs[1]


@on_loop
async def test_a_step_that_keeps_its_lease_changes_nothing_in_the_index_of_who_is_due(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        await keep_definitions(store)
        await store.create(a_creation(updated_ms=NEW_YEAR_MS + 1, **RUNNING))
        assert due_since(store) == -(NEW_YEAR_MS + 1)
        assert list(await store.take(1, LEASE)) == [Claimed(ID, 2)]
        assert due_since(store) == 0
        told = list[str]()
        store._db.set_exec_trace(noting(told))
        for version in (2, 3):
            await store.commit(a_commit(version, head={**RUNNING, "epoch": 2}, epoch=2, lease=LEASE))
        store._db.set_exec_trace(None)
        assert told == ["BEGIN", "INSERT", "UPDATE", "COMMIT"] * 2, "also the first step after a take is a plain one"
        assert due_since(store) == 0
        await store.enqueue(ID, 3, PING)
        assert due_since(store) == 0
        await store.release(ID, 2)
        assert due_since(store) == -(NEW_YEAR_MS + 3)


@on_loop
async def test_a_lease_changes_nothing_of_who_is_never_due_or_later(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        await keep_definitions(store)
        timers = (ArmedTimer("open", "1ms", NEW_YEAR_MS + 7),)
        cases: tuple[tuple[str, dict[str, Any], int | None], ...] = (
            ("never", {}, None),
            ("later", {"timers": timers}, NEW_YEAR_MS + 7),
        )
        for agent_id, more, since in cases:
            await store.create(a_creation(agent_id, **more))
            epoch = await store.claim(agent_id, await store.head(agent_id), LEASE)
            held = due_since(store, agent_id)
            assert await store.renew_all([Claimed(agent_id, epoch)], THERE) == [agent_id]
            renewed = due_since(store, agent_id)
            await store.release(agent_id, epoch)
            assert [held, renewed, due_since(store, agent_id)] == [since] * 3
        assert list(await store.inspect()) == []


@on_loop
async def test_who_is_due_at_once_is_so_by_a_clock_that_is_behind(tmp_path: Path) -> None:
    """Somebody has set it back since the last step."""
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS - 60_000)) as store:
        await keep_definitions(store)
        await store.create(a_creation(updated_ms=NEW_YEAR_MS, **RUNNING))
        assert await store.due(NEW_YEAR_MS - 60_000, 9) == [ID]
        assert list(await store.take(9, LEASE)) == [Claimed(ID, 2)]


@on_loop
async def test_an_id_that_is_no_text_is_not_told_and_keeps_nobody_else_from_being_taken(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS + 99)) as store:
        await keep_definitions(store)
        for number, agent_id in enumerate(("spoilt", "sound", "next")):
            await store.create(a_creation(agent_id, updated_ms=NEW_YEAR_MS + number, **RUNNING))
        store._db.execute("UPDATE heads SET id = CAST(x'ff41' AS TEXT) WHERE id = 'spoilt'")
        assert [list(await store.take(1, LEASE)) for _ in range(3)] == [[], [Claimed("sound", 2)], [Claimed("next", 2)]]


@on_loop
async def test_neither_does_one_whose_row_cannot_be_written(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS + 99)) as store:
        await keep_definitions(store)
        for number, agent_id in enumerate(("damaged", "spoilt", "sound", "next", "last")):
            await store.create(a_creation(agent_id, updated_ms=NEW_YEAR_MS + number, **RUNNING))
        store._db.execute("UPDATE heads SET id = CAST(x'ff41' AS TEXT) WHERE id = 'spoilt'")
        schema = str(store._db.execute("SELECT sql FROM sqlite_schema WHERE name = 'heads'").get)
        _rewrite_schema(store, schema.replace("STRICT, ", ""))
        store._db.execute("UPDATE heads SET numbered = 'many' WHERE id = 'damaged'")
        _rewrite_schema(store, schema)
        taken = [[agent_id for agent_id, _ in await store.take(limit, LEASE)] for limit in (2, 1, 9, 9)]
        assert taken == [["sound"], ["next"], ["last"], []]


def _rewrite_schema(store: SqliteStore, schema: str) -> None:
    db = store._db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'heads'", (schema,))
    db.execute("PRAGMA writable_schema = RESET")


@on_loop
async def test_takes_and_renewals_of_many_tasks_share_a_transaction(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db", clock=FakeClock(NEW_YEAR_MS + 99)) as store:
        await keep_definitions(store)
        for number in range(9):
            await store.create(a_creation(f"agent-{number}", updated_ms=NEW_YEAR_MS + number, **RUNNING))
        told = list[str]()
        store._db.set_exec_trace(noting(told))
        first, second, third = await asyncio.gather(*(store.take(4, LEASE) for _ in range(3)))
        renewed = await asyncio.gather(store.renew_all(first, THERE), store.renew_all(second, THERE))
        store._db.set_exec_trace(None)
        assert [len(each) for each in (first, second, third)] == [4, 4, 1]
        assert sorted(agent_id for agent_id, _ in [*first, *second, *third]) == [f"agent-{n}" for n in range(9)]
        assert [len(each) for each in renewed] == [4, 4]
        assert told.count("BEGIN") == told.count("COMMIT") == 2


@on_loop
async def test_a_ring_is_heard_by_another_thread_in_its_own_loop_and_by_no_thread_that_is_gone(tmp_path: Path) -> None:
    path, rung, heard = tmp_path / "agents.db", threading.Event(), threading.Event()
    in_threads: list[threading.Thread] = []

    async def hear() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        async with SqliteStore(path) as store:
            listening = asyncio.create_task(store.listen(told.set))
            await told.wait()
            told.clear()
            rung.set()
            await told.wait()
            assert asyncio.get_running_loop() is loop
            heard.set()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async with SqliteStore(path) as store:
        for _ in range(2):
            in_threads.append(threading.Thread(target=asyncio.run, args=(hear(),)))
            in_threads[-1].start()
            assert await asyncio.to_thread(rung.wait, 30)
            await store.ring()
            assert await asyncio.to_thread(heard.wait, 30)
            await asyncio.to_thread(in_threads[-1].join)
            await store.ring()
            rung.clear()
            heard.clear()
