"""What is found by index in SQLite: by which, what a step writes of it, and that nobody waits for who looks long."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Commit
from fsm_agent.domain.selection import ANYBODY, QuestionPlace, Selection, Tally
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores import pages
from fsm_agent.stores.sqlite import commits, place_queries, selections
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, LEASE, a_creation, a_step, keep_definitions
from fsm_agent.testing.contract.questions import asked_by, asking, take
from fsm_agent.testing.contract.selections import selected
from tests.support.runtime import on_loop

#: a selection or an inbox, in which order, and the indexes that find it: nothing is sorted, no table is read to its end
INDEXED: dict[str, tuple[Callable[[apsw.Connection], object], str]] = {
    "the questions of somebody": (lambda db: _ask(db, to="ana"), "questions USING PRIMARY KEY (namespace=? AND who=?)"),
    "a page of them": (
        lambda db: _ask(db, to="ana", after=QuestionPlace(1, 1, "a")),
        "questions USING PRIMARY KEY (namespace=? AND who=? AND (due_ms,created_ms,id)>(?,?,?))",
    ),
    "those of a workflow": (
        lambda db: _ask(db, to=ANYBODY, workflow="order"),
        "questions USING PRIMARY KEY (namespace=? AND who=?)",
    ),
    "how many": (
        lambda db: selections.count_questions(db, "", None, None),
        "questions USING PRIMARY KEY (namespace=? AND who=?)",
    ),
    "a label": (
        lambda db: _select(db, label=("case", "7")),
        "labels USING PRIMARY KEY (namespace=? AND name=? AND text=?)",
    ),
    "the newest with a label": (
        lambda db: _newest(db, label=("case", "7"), workflow="order"),
        "labels USING COVERING INDEX labels_by_age (namespace=? AND name=? AND text=?)",
    ),
    "a user": (lambda db: _select(db, user="ana", state="open"), "labels USING PRIMARY KEY"),
    "the newest of a user after a place": (
        lambda db: _newest(db, user="ana", after=(9, "a")),
        "labels_by_age (namespace=? AND name=? AND text=? AND (created_ms,id)<(?,?))",
    ),
    "a user with a label": (
        lambda db: _newest(db, user="ana", label=("case", "7"), statuses=[Status.DONE]),
        "users EXISTS USING PRIMARY KEY (namespace=? AND name=? AND text=? AND id=?)",
    ),
    "a rare status with a label": (
        lambda db: _newest(db, label=("case", "7"), statuses=[Status.PARKED]),
        "others EXISTS USING PRIMARY KEY (namespace=? AND name=? AND text=? AND id=?)",
    ),
    "the newest": (
        lambda db: _newest(db, statuses=()),
        "heads USING COVERING INDEX by_status (namespace=? AND status=?)",
    ),
    "the newest of some statuses": (
        lambda db: _newest(db, statuses=[Status.PARKED], state="open", after=(9, "a")),
        "heads USING INDEX by_status (namespace=? AND status=? AND (created_ms,id)<(?,?))",
    ),
    "by id": (
        lambda db: _select(db, workflow="order", state="open", after="a"),
        "heads USING PRIMARY KEY (namespace=? AND id>?)",
    ),
    "heads": (lambda db: selections.heads(db, "", ["a", "b"]), "heads USING PRIMARY KEY (namespace=? AND id=?)"),
}


def _ask(db: Any, *, to: str | None, workflow: str | None = None, after: QuestionPlace | None = None) -> object:
    return selections.questions(db, "", to=to, workflow=workflow, limit=2, after=after)


def _select(db: Any, *, after: str | None = None, **wanted: Any) -> object:
    return selections.select(db, "", Selection(**wanted), limit=2, after=after)


def _newest(db: Any, *, after: tuple[int, str] | None = None, **wanted: Any) -> object:
    return selections.newest(db, "", Selection(**wanted), limit=2, after=after)


def plans_of(db: apsw.Connection, look: Callable[[apsw.Connection], object]) -> list[str]:
    """How SQLite finds what is looked for."""
    told: list[str] = []

    def trace(_: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if not sql.startswith("EXPLAIN"):
            told.extend(str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    db.set_exec_trace(trace)
    look(db)
    db.set_exec_trace(None)
    return told


@pytest.mark.parametrize("wanted", INDEXED)
@on_loop
async def test_agents_are_found_by_an_index_that_has_them_in_order(tmp_path: Path, wanted: str) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        look, index = INDEXED[wanted]
        plans = plans_of(store._db, look)
        assert any(index in plan for plan in plans), plans
        sorted_rows = [plan for plan in plans if "TEMP B-TREE" in plan]
        is_by_status = any("by_status" in plan for plan in plans)  # with statuses that none is, and those that are few
        assert set(sorted_rows) == ({"USE TEMP B-TREE FOR ORDER BY"} if is_by_status else set())
        known = ("SCAN json_each", "SCAN places", "SCAN definitions", "SCAN (subquery-1)")  # definitions are few
        assert [plan for plan in plans if plan.startswith("SCAN") and not plan.startswith(known)] == []


@on_loop
async def test_a_rare_status_is_found_by_index_and_a_common_one_on_a_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_queries, "_FEW", 3)
    async with SqliteStore(tmp_path / "agents.db") as store:
        await keep_definitions(store)
        for number in range(6):
            status = Status.PARKED if number < 3 else Status.DONE
            await store.create(a_creation(f"a{number}", status=status, created_ms=NEW_YEAR_MS - number))
        for status, ids, index in (
            (Status.PARKED, ["a0", "a1", "a2"], "by_status (namespace=? AND status=?)"),
            (Status.FAILED, [], "by_status (namespace=? AND status=?)"),
        ):
            plans = plans_of(store._db, lambda db, wanted=status: _select(db, statuses=[wanted]))
            assert sum(index in plan for plan in plans) == 2, plans  # counted, and found
            assert await selected(store, statuses=[status]) == ids
        await store.create(a_creation("a6", status=Status.DONE))
        plans = plans_of(store._db, lambda db: _select(db, statuses=[Status.DONE]))
        assert any("heads USING PRIMARY KEY (namespace=?)" in plan for plan in plans), plans
        assert await selected(store, statuses=[Status.DONE]) == ["a3", "a4", "a5", "a6"]
        assert await selected(store, statuses=[Status.DONE, Status.PARKED]) == [f"a{number}" for number in range(7)]


@on_loop
async def test_a_step_that_keeps_its_status_writes_no_index_of_it(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        ((root,),) = store._db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'by_status'")

        def writes_it(statement: str) -> bool:
            count = max([statement.count("?"), *(int(each) for each in re.findall(r"\?(\d+)", statement))])
            explained = store._db.execute(f"EXPLAIN {statement}", [None] * count)
            return root in [row[3] for row in explained if row[1] == "OpenWrite"]

        assert not writes_it(commits._MOVE)
        assert not writes_it(commits._MOVE_AND_HOLD)
        assert not writes_it(commits._STEP_IF_HELD)
        assert writes_it(commits._MOVE_HOLD_AND_BE)
        assert writes_it(commits._BE)


@on_loop
async def test_only_a_step_that_opens_changes_or_closes_a_question_writes_of_it(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        await keep_definitions(store)
        await store.create(a_creation(status=Status.RUNNING, lease=LEASE))

        async def told(*, epoch: int | None, **changes: Any) -> list[str]:
            statements: list[str] = []
            store._db.set_exec_trace(lambda _, sql, __: statements.append(" ".join(sql.split()[:3])) or True)
            head = await store.head(ID)
            del statements[:]
            after = head._replace(version=head.version + 1, **changes)
            await store.commit(Commit(after, a_step(after.version), epoch))
            store._db.set_exec_trace(None)
            return [each for each in statements if "questions" in each or each.startswith("SELECT")]

        standing = ["SELECT agent, last_step,"]
        closes = ["DELETE FROM questions"]
        assert await told(epoch=1, state="closed") == []
        assert await told(epoch=1, status=Status.RUNNING) == []
        assert await told(epoch=1, status=Status.WAITING) == []
        assert await told(epoch=None, **asking("ana", due=1)) == standing
        assert await asked_by(store, to="ana") == [ID]
        assert await told(epoch=None, state="open", visits={"open": 2}) == []
        assert await told(epoch=None, **asking("ana", due=2)) == [*standing, *closes * 2]
        assert await told(epoch=None, status=Status.DONE) == [*standing, *closes * 2]
        assert await told(epoch=None, state="closed") == []
        assert await asked_by(store) == []


@on_loop
async def test_who_looks_long_sees_one_moment_and_holds_nobody_up(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store, SqliteStore(tmp_path / "agents.db") as other:
        await keep_definitions(store)
        await store.create(a_creation("a", **asking("ana")))
        begun, goes_on = threading.Event(), threading.Event()

        def look(db: Any) -> tuple[object, object]:
            before = selections.tally(db, "")
            begun.set()
            assert goes_on.wait(30)
            return before, selections.tally(db, "")

        looking = asyncio.create_task(store._found(look, is_quick=False))
        await asyncio.to_thread(begun.wait, 30)
        await take(store, "a", status=Status.DONE)
        await store.create(a_creation("b"))
        await other.create(a_creation("c"))
        three = [Tally("order", "open", Status.DONE, 1), Tally("order", "open", Status.WAITING, 2)]
        assert await store.tally() == three
        assert await store.count_questions() == 0
        assert not looking.done()
        goes_on.set()
        assert await looking == ([Tally("order", "open", Status.WAITING, 1)],) * 2


@on_loop
async def test_to_close_the_store_ends_who_looks_long_and_who_would_have_come_after(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        looks = [
            asyncio.create_task(store._found(lambda db: db.execute(endless).get, is_quick=False)) for _ in range(3)
        ]
        while len(store._scans._busy) < 2:  # noqa: ASYNC110 - what they do is seen, and said to nobody
            await asyncio.sleep(0)
        await store.close()
        for look in looks:
            with pytest.raises(StoreUnavailable, match="is closed already; open the store again"):
                await look
        for verb in (store.tally(), store.questions(), store.select(Selection(state="open")), store.heads(["a"])):
            with pytest.raises(StoreUnavailable, match="is closed already; open the store again"):
                await verb


def test_a_process_without_an_event_loop_needs_none_to_look_for_agents(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "agents.db")
    finish(keep_definitions(store))
    finish(store.create(a_creation("a", user="ana", **asking("ana"))))
    looks: list[Awaitable[Any]] = [store.select(Selection(state="open", user="ana")), store.list(workflow="order")]
    for look in looks:
        assert [head.id for head in finish(look).heads] == ["a"]  # type: ignore[arg-type]
    assert finish(store.count_questions(to="ana")) == 1
    assert finish(store.tally()) == [Tally("order", "open", Status.WAITING, 1)]
    finish(store.close())


#: Opens, changes and closes the questions of five agents, and says what is acknowledged.
ASKER = """
import asyncio, random, sys
from pathlib import Path
from fsm_agent.domain.agent import Status
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.questions import asking, take

async def ask(store, agent_id, rng):
    while True:
        to = rng.sample(["ana", "bob", "eva"], rng.randrange(3))
        status = rng.choice([Status.WAITING, Status.WAITING, Status.RUNNING])
        await take(store, agent_id, **asking(*to, due=rng.choice([None, 1, 2]), status=status))
        print(agent_id, flush=True)

async def main():
    rng = random.Random(int(sys.argv[2]))
    async with SqliteStore(Path(sys.argv[1])) as store:
        await asyncio.gather(*(ask(store, f"a{number}", rng) for number in range(5)))

asyncio.run(main())
"""


@pytest.mark.long
@on_loop
async def test_a_process_that_is_killed_leaves_every_question_and_no_other_in_the_index(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "agents.db") as store:
        await keep_definitions(store)
        for number in range(5):
            await store.create(a_creation(f"a{number}"))
        for seed in range(4):
            line = [sys.executable, "-c", ASKER, str(tmp_path / "agents.db"), str(seed)]
            with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
                assert process.stdout is not None
                for _ in range(20 + 7 * seed):
                    await asyncio.to_thread(process.stdout.readline)
                    found = await store.questions()
                    assert found.heads == tuple(head for head in found.heads if head.status is Status.WAITING)
                process.kill()
            for to in (None, ANYBODY, "ana", "bob", "eva"):
                known = await pages.questions(store, to=to, workflow=None, limit=9, after=None)
                assert await store.questions(to=to, limit=9) == known
            assert await store.reindex() == 0
