"""Group commit: one transaction for what is written together, a thread for what is not cheap."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import apsw
import pytest

from fsm_agent.errors import Conflict
from fsm_agent.stores.sqlite.connection import Connection
from fsm_agent.stores.sqlite.group_commit import GroupCommit
from fsm_agent.stores.sqlite.transaction import Unit

Scenario = Callable[[GroupCommit], Awaitable[None]]


class Desk:
    """A database with one table of numbers, and a look at what was committed to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits = 0
        self.db = self.connect()
        self.db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY); PRAGMA journal_mode = WAL")
        self.db.set_commit_hook(self._count)

    def connect(self) -> Connection:
        db = Connection(str(self.path))
        db.set_busy_timeout(10_000)
        return db

    def numbers(self) -> list[int]:
        return [n for (n,) in self.db.execute("SELECT n FROM numbers ORDER BY n")]

    def run(self, scenario: Scenario, *, cheap_s: float = math.inf) -> None:
        """Play a scenario; infinitely cheap commits stay on the loop, and below zero none does."""

        async def play() -> None:
            writer = GroupCommit(self.db, self.connect, cheap_s=cheap_s)
            await scenario(writer)
            await writer.close()

        asyncio.run(play())

    def _count(self) -> bool:
        self.commits += 1
        return False


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Desk]:
    driver = Desk(tmp_path / "numbers.db")
    yield driver
    driver.db.close()


def insert(n: int) -> Unit[int]:
    def unit(db: apsw.Connection) -> int:
        db.execute("INSERT INTO numbers VALUES (?)", (n,))
        return n

    return unit


def fail_after(n: int, error: Exception) -> Unit[int]:
    def unit(db: apsw.Connection) -> int:
        insert(n)(db)
        raise error

    return unit


def refuse(_: apsw.Connection) -> int:
    raise Conflict("a", 1, 2)


def whereabouts(_: apsw.Connection) -> int:
    return threading.get_ident()


def test_writes_of_one_turn_form_one_transaction(driver: Desk) -> None:
    async def scenario(writer: GroupCommit) -> None:
        assert await asyncio.gather(*(writer.write(insert(n)) for n in range(50))) == list(range(50))

    driver.run(scenario)
    assert driver.commits == 1
    assert driver.numbers() == list(range(50))


def test_a_task_that_writes_alone_does_not_wait_for_the_next_turn(driver: Desk) -> None:
    async def scenario(writer: GroupCommit) -> None:
        await writer.write(insert(1))
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await writer.write(insert(2))
        assert turns == []

    driver.run(scenario)
    assert driver.commits == 2


def test_tasks_that_write_again_and_again_share_their_transactions(driver: Desk) -> None:
    async def drive(writer: GroupCommit, first: int) -> None:
        for n in range(first, first + 10):
            await writer.write(insert(n))

    async def scenario(writer: GroupCommit) -> None:
        await asyncio.gather(*(drive(writer, first) for first in range(0, 100, 10)))

    driver.run(scenario)
    assert driver.commits <= 20
    assert driver.numbers() == list(range(100))


def test_a_refused_unit_is_refused_alone(driver: Desk) -> None:
    async def scenario(writer: GroupCommit) -> None:
        writes = (writer.write(insert(1)), writer.write(refuse), writer.write(insert(2)))
        first, refused, last = await asyncio.gather(*writes, return_exceptions=True)
        assert (first, last) == (1, 2)
        assert isinstance(refused, Conflict)

    driver.run(scenario)
    assert driver.commits == 1
    assert driver.numbers() == [1, 2]


@pytest.mark.parametrize("cheap_s", [math.inf, -1])
def test_a_failing_unit_is_undone_and_fails_alone(driver: Desk, cheap_s: float) -> None:
    async def scenario(writer: GroupCommit) -> None:
        units = (insert(1), fail_after(2, ZeroDivisionError("mine")), insert(3), refuse, insert(1))
        outcomes = await asyncio.gather(*map(writer.write, units), return_exceptions=True)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [int, ZeroDivisionError, int, Conflict, apsw.ConstraintError]

    driver.run(scenario, cheap_s=cheap_s)
    assert driver.numbers() == [1, 3]


def test_nobody_is_told_of_success_before_the_commit(driver: Desk) -> None:
    def connect_to_forbid() -> Connection:
        db = driver.connect()
        db.set_commit_hook(lambda: True)  # turns COMMIT into ROLLBACK
        return db

    async def scenario() -> None:
        db = connect_to_forbid()
        writer = GroupCommit(db, connect_to_forbid)
        outcomes = await asyncio.gather(*(writer.write(insert(n)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(outcome, apsw.ConstraintError) for outcome in outcomes)
        await writer.close()
        db.close()

    asyncio.run(scenario())
    assert driver.numbers() == []


def test_what_is_cheap_is_written_by_the_loop_and_what_is_not_by_a_thread(driver: Desk) -> None:
    here = threading.get_ident()

    async def is_here(writer: GroupCommit) -> None:
        assert await writer.write(whereabouts) == here

    async def is_not_here(writer: GroupCommit) -> None:
        assert await writer.write(whereabouts) != here

    driver.run(is_here)
    driver.run(is_not_here, cheap_s=-1)


class Stopwatch:
    """A clock by which every COMMIT takes as long as it is told."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += self.takes_s
        return self._now_s


def is_slow_then_quick(driver: Desk, scenario: Callable[[GroupCommit, Stopwatch], Awaitable[None]]) -> None:
    async def play() -> None:
        stopwatch = Stopwatch()
        writer = GroupCommit(driver.db, driver.connect, clock=stopwatch)
        await scenario(writer, stopwatch)
        await writer.close()

    asyncio.run(play())


@pytest.mark.parametrize("stall_s", [0.1, 100])
def test_whoever_went_to_the_thread_comes_back_when_commits_are_quick_again(driver: Desk, stall_s: float) -> None:
    here = threading.get_ident()

    async def scenario(writer: GroupCommit, stopwatch: Stopwatch) -> None:
        stopwatch.takes_s = stall_s
        assert await writer.write(whereabouts) == here
        assert await writer.write(whereabouts) != here
        stopwatch.takes_s = 0.0001
        assert [await writer.write(whereabouts) == here for _ in range(10)] == [False] * 8 + [True] * 2

    is_slow_then_quick(driver, scenario)


def test_what_many_take_together_says_nothing_of_one_alone(driver: Desk) -> None:
    here = threading.get_ident()

    async def scenario(writer: GroupCommit, stopwatch: Stopwatch) -> None:
        stopwatch.takes_s = 1
        await asyncio.gather(*(writer.write(insert(n)) for n in range(50)))
        stopwatch.takes_s = 0.0001
        assert await writer.write(whereabouts) == here
        assert set(await asyncio.gather(*(writer.write(whereabouts) for _ in range(50)))) != {here}

    is_slow_then_quick(driver, scenario)


def test_a_database_that_somebody_holds_is_waited_for_while_the_loop_goes_on(driver: Desk) -> None:
    holder = driver.connect()
    holder.execute("BEGIN IMMEDIATE; INSERT INTO numbers VALUES (0)")

    async def scenario(writer: GroupCommit) -> None:
        writes = [asyncio.ensure_future(writer.write(insert(n))) for n in (1, 2)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert driver.numbers() == []
        later = asyncio.ensure_future(writer.write(insert(3)))
        await asyncio.sleep(0)
        holder.execute("COMMIT")
        assert await asyncio.gather(*writes, later) == [1, 2, 3]

    driver.run(scenario)
    holder.close()
    assert driver.numbers() == [0, 1, 2, 3]


def test_a_caller_that_is_cancelled_leaves_the_others_whole(driver: Desk) -> None:
    async def scenario(writer: GroupCommit) -> None:
        tasks = [asyncio.ensure_future(writer.write(insert(n))) for n in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [int, asyncio.CancelledError, int]

    driver.run(scenario)
    assert set(driver.numbers()) >= {0, 2}


@pytest.mark.parametrize("cheap_s", [math.inf, -1])
def test_closing_finishes_what_is_queued_and_takes_nothing_more(driver: Desk, cheap_s: float) -> None:
    async def scenario(writer: GroupCommit) -> None:
        writes = [asyncio.ensure_future(writer.write(insert(n))) for n in range(3)]
        await asyncio.sleep(0)
        await writer.close()
        assert await asyncio.gather(*writes) == [0, 1, 2]
        with pytest.raises(apsw.ConnectionClosedError):
            await writer.write(insert(4))

    driver.run(scenario, cheap_s=cheap_s)
    assert driver.numbers() == [0, 1, 2]
