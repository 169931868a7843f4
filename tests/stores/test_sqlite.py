"""Agents in one SQLite file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import apsw
import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import Claimed
from fsm_agent.domain.record import Origin, Snapshot
from fsm_agent.stores.base import Store
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing import DurableStoreContract
from fsm_agent.testing.contract.fixtures import ID, LEASE, PING, a_commit, a_creation, a_head, an_effect, in_loop
from tests.support.thread_verbs import use_every_thread_verb


class TestSqliteStore(DurableStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/agents.db"

    @in_loop
    async def test_no_verb_reads_a_table_from_end_to_end(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        plans: set[str] = set()
        store._db.set_exec_trace(_planning(store._db, plans))
        await _say_every_verb(store)
        store._db.set_exec_trace(None)
        assert any("USING INDEX due" in plan for plan in plans)
        assert any("USING INDEX held" in plan for plan in plans)
        found_or_said = re.compile(r"SCAN (CONSTANT ROW|chain|\(subquery-\d+\)|\w+ VIRTUAL TABLE INDEX 1:)")
        assert [plan for plan in plans if "SCAN" in plan and not found_or_said.fullmatch(plan)] == []


def _planning(db: apsw.Connection, plans: set[str]) -> Any:
    def trace(_: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if not sql.startswith("EXPLAIN"):
            plans.update(str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    return trace


async def _say_every_verb(store: Store) -> None:
    await store.create(a_creation(lease=LEASE)._replace(key="start"))
    await store.enqueue(ID, 1, PING)
    await store.commit(a_commit(2, dequeue=1, key="k", snapshot=Snapshot(2, {}), lease=LEASE))
    await store.renew(ID, 1, LEASE)
    await store.record_attempt(ID, 1, attempts=1, retry_ms=None)
    await store.release(ID, 1)
    await store.claim(ID, await store.head(ID), LEASE)
    await store.load(ID, key="k")
    await store.history(ID)
    await store.list(status=Status.WAITING, workflow="order")
    await store.due(0, 9)
    await store.renew_all([Claimed(ID, 2)], LEASE)
    await store.take(9, LEASE)
    await store.take(9, LEASE, workflows=["order"], without=[("hash", "open")])
    await store.held_here("here")
    await store.lapsed(0, 9)
    await store.find_key("start")
    await store.begin_effect(ID, an_effect(epoch=2))
    await store.end_effect(ID, an_effect(epoch=2, ended_ms=1))
    await store.effects(ID)
    await use_every_thread_verb(store, 3, epoch=2)
    await store.size(ID)
    export = await store.dump(ID)
    await store.shorten(await store.head(ID), Origin(a_head(ID, 1), {}))
    await store.origin(ID)
    await store.delete(await store.head(ID))
    await store.adopt(export)
