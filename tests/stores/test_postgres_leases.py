"""Workers that share a PostgreSQL database: what is kept of who is due, how takers find it, and what it costs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    ORDER,
    PING,
    REFUND,
    a_commit,
    a_creation,
    keep_definitions,
)
from tests.support.postgres_stores import note_plans
from tests.support.servers.postgres import PostgresServer

RUNNING: Final[Mapping[str, Any]] = {"status": Status.RUNNING}
THERE: Final = Lease(Holder("there", 9, 1), LEASE.until_ms + 60_000)
TIMER: Final = (ArmedTimer("open", "1h", NEW_YEAR_MS + 500),)


@asynccontextmanager
async def opened(url: str, clock: FakeClock | None = None) -> AsyncIterator[PostgresStore]:
    async with open_store(url, clock=clock or FakeClock()) as store:
        assert isinstance(store, PostgresStore)
        await keep_definitions(store)
        yield store


async def wake_ms(store: PostgresStore, agent_id: str = ID) -> int | None:
    query = b"SELECT wake_ms FROM fsm_agent.agents WHERE namespace = %(namespace)s AND id = %(id)s"
    ((found,),) = await store._read(query, {"id": agent_id})
    return None if found is None else int(found)


def test_who_is_due_at_once_is_due_since_its_last_step_and_while_held_since_ever(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            await store.create(a_creation(updated_ms=5, **RUNNING))
            assert await wake_ms(store) == 5
            assert await store.claim(ID, await store.head(ID), LEASE) == 2
            assert await wake_ms(store) == 0
            await store.commit(a_commit(2, epoch=2, head={"updated_ms": 6, **RUNNING}, lease=LEASE))
            assert await wake_ms(store) == 0
            await store.record_attempt(ID, 2, attempts=1, retry_ms=None)
            assert await wake_ms(store) == 0
            await store.release(ID, 2)
            assert await wake_ms(store) == 6
            assert list(await store.take(1, LEASE)) == [Claimed(ID, 3)]
            assert await wake_ms(store) == 0
            await store.record_attempt(ID, 3, attempts=1, retry_ms=700)
            await store.release(ID, 3)
            assert await wake_ms(store) == 700
            await store.record_attempt(ID, 3, attempts=0, retry_ms=None)
            assert await wake_ms(store) == 6
            await store.commit(a_commit(3, epoch=3, head={"updated_ms": 8, **RUNNING}))
            assert await wake_ms(store) == 8

    asyncio.run(look())


def test_a_queued_event_makes_an_agent_due_since_its_last_step(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            for name, lease in (("free", None), ("held", LEASE)):
                await store.create(a_creation(name, updated_ms=5, lease=lease, timers=TIMER))
                assert await wake_ms(store, name) == NEW_YEAR_MS + 500
                await store.enqueue(name, 1, PING)
            assert (await wake_ms(store, "free"), await wake_ms(store, "held")) == (5, 0)
            for name in ("free", "held"):
                export = await store.dump(name)
                await store.delete(export.head)
                await store.adopt(export)
            assert (await wake_ms(store, "free"), await wake_ms(store, "held")) == (5, 0)
            await store.commit(a_commit(2, head={"id": "free", "updated_ms": 9}, dequeue=1))
            assert await wake_ms(store, "free") is None
            await store.create(a_creation("works", updated_ms=5, **RUNNING))
            await store.record_attempt("works", 1, attempts=1, retry_ms=700)
            await store.enqueue("works", 1, PING._replace(key="other"))
            assert await wake_ms(store, "works") == 700

    asyncio.run(look())


def test_a_step_under_a_lease_changes_nothing_that_an_index_holds(postgres_url: str) -> None:
    indexed = b"""SELECT namespace, id, wake_ms, until_ms, host, status, name, asked_due, asked_to, start_key
        FROM fsm_agent.agents"""

    async def look() -> None:
        async with opened(postgres_url) as store:
            await store.create(a_creation(**RUNNING))
            await store.take(1, LEASE)
            before = await store._read(indexed, {})
            for version in range(2, 6):
                await store.commit(a_commit(version, epoch=2, head={"updated_ms": version, **RUNNING}, lease=LEASE))
                assert await store._read(indexed, {}) == before

    asyncio.run(look())


def test_who_was_stepped_by_a_clock_that_is_ahead_is_due_at_once_all_the_same(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            ahead: dict[str, Any] = {"updated_ms": NEW_YEAR_MS + 40}
            await store.create(a_creation("at-once", **RUNNING, **ahead))
            await store.create(a_creation("timer", timers=(ArmedTimer("open", "1ms", NEW_YEAR_MS + 30),), **ahead))
            await store.create(a_creation("held", lease=Lease(LEASE.holder, NEW_YEAR_MS + 20), **RUNNING, **ahead))
            assert await store.due(NEW_YEAR_MS, 9) == ["at-once"]
            assert list(await store.take(9, THERE)) == [Claimed("at-once", 2)]

    asyncio.run(look())


#: takes until nobody is due, with two tasks that share the connections of a process, and says whom it got
TAKER: Final = """
import asyncio, json, os, sys
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.stores.urls import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        now_ms = await store.now()
        print("ready", flush=True)
        sys.stdin.readline()

        async def take(number):
            taken = []
            while found := await store.take(7, Lease(Holder("here", os.getpid(), number), now_ms + 600_000)):
                taken += found
            return taken

        print(json.dumps(sum(await asyncio.gather(take(1), take(2)), [])), flush=True)

asyncio.run(main())
"""


def test_takers_in_four_processes_never_take_the_same_agent(postgres_url: str) -> None:
    agents = [f"agent-{number:03}" for number in range(500)]

    async def fill() -> None:
        async with opened(postgres_url) as store:
            for name in agents:
                await store.create(a_creation(name, **RUNNING))

    async def epochs() -> set[int]:
        async with open_store(postgres_url) as store:
            return {head.epoch for head in await store.heads(agents)}

    asyncio.run(fill())
    command = [sys.executable, "-c", TAKER, postgres_url]
    takers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    taken = [agent_id for taker in takers for agent_id, _ in json.loads(taker.communicate(timeout=60)[0])]
    assert sorted(taken) == agents
    assert asyncio.run(epochs()) == {2}


def test_a_lease_that_is_taken_over_while_it_is_to_be_renewed_stays_with_the_taker(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            for name in ("a", "b"):
                await store.create(a_creation(name, lease=LEASE, **RUNNING))
            async with store._pool.lent() as session:
                await session.run(b"BEGIN", {})
                taking = b"UPDATE fsm_agent.agents SET epoch = 2, host = 'there' WHERE id = 'b'"
                await session.run(taking, {})
                renewing = asyncio.ensure_future(store.renew_all([Claimed("b", 1), Claimed("a", 1)], THERE))
                while not await store._pool.run(b"SELECT FROM pg_locks WHERE NOT granted", {}):
                    assert not renewing.done()
                await session.run(b"COMMIT", {})
            assert list(await renewing) == ["a"]
            lease = (await store.head("b")).lease
            assert lease is not None
            assert (lease.holder.host, lease.until_ms) == ("there", LEASE.until_ms)

    asyncio.run(look())


def test_who_is_in_the_middle_of_a_step_is_passed_and_nobody_waits(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            for number, name in enumerate(("a", "b", "c")):
                await store.create(a_creation(name, updated_ms=number, **RUNNING))
            async with store._pool.lent() as session:
                await session.run(b"BEGIN", {})
                await session.run(b"SELECT FROM fsm_agent.agents WHERE id = 'a' FOR NO KEY UPDATE", {})
                assert sorted(await store.take(2, LEASE)) == [Claimed("b", 2), Claimed("c", 2)]
                await session.run(b"COMMIT", {})
            assert list(await store.take(2, LEASE)) == [Claimed("a", 2)]

    asyncio.run(look())


#: many agents as rows, of which only what decides about a plan is as in life
_MANY: Final = """
INSERT INTO fsm_agent.agents (workflow, status, namespace, id, name, created_ms, state, version, updated_ms, wake_ms,
    host, pid, started_ms, until_ms, cold)
SELECT workflow, 1, 'default', '{kind}-' || number, 'order', 1, 'open', 3, 1000 + number, {wake_ms}, {lease}, ''
FROM generate_series(1, {count}) AS made (number), fsm_agent.definitions WHERE name = 'order'
"""
_HELD: Final = "'host', 1, 1, 99999999999999"
_FREE: Final = "NULL, NULL, NULL, NULL"


def fill(postgres: PostgresServer, database: str, *, is_known: bool) -> None:
    """``is_known`` is whether the server has counted what there is before it makes a plan."""
    for kind, wakes, lease, count in (
        ("held", "0", _HELD, 5_000),
        ("waits", "99999999999999", _FREE, 20_000),
        ("due", "1000 + number", _FREE, 100),
    ):
        postgres.execute(_MANY.format(kind=kind, wake_ms=wakes, lease=lease, count=count), database)
    if is_known:
        postgres.execute("VACUUM ANALYZE", database)


@pytest.mark.parametrize("when", ["planned while it is empty", "planned before anything is counted", "planned after"])
def test_who_is_due_is_read_in_the_order_of_one_index_whatever_the_server_knows(
    when: str, postgres: PostgresServer
) -> None:
    url = postgres.make_database("takers")

    async def look() -> None:
        async with opened(url, FakeClock(2_000_000)) as store:
            if when == "planned while it is empty":
                await say_all(store)
                await say_all(store)
            fill(postgres, "takers", is_known=when == "planned after")
            plans = await note_plans(store)
            assert [len(taken) for taken in await say_all(store)] == [3, 3, 0, 3, 0]
            assert len(plans) == 7, "one statement each"
            for plan in plans[:6]:
                assert "using due on agents" in plan
            for plan in plans:
                assert not [word for word in ("Seq Scan", "Bitmap", "Sort", "Merge") if word in plan]
                assert "Hash Join" not in plan or "Hash Cond: (definitions.hash" in plan
            if when != "planned while it is empty":  # of nobody, everybody is found by any index as well
                assert "using head_namespace_id_key" in plans[6]

    asyncio.run(look())


async def say_all(store: PostgresStore) -> list[Any]:
    await store.due(2_000_000, 3)
    old = [(ORDER.hash, "closed"), (REFUND.hash, "open")]
    lease = Lease(LEASE.holder, 99_999_999_999_999)
    taken = [
        await store.take(3, lease),
        await store.take(3, lease, workflows=["order", "other"]),
        await store.take(3, lease, workflows=["other"]),
        await store.take(3, lease, without=old),
        await store.take(3, lease, workflows=["order"], without=[*old, (ORDER.hash, "open")]),
    ]
    await store.renew_all([*taken[0], Claimed("nobody", 1)], lease)
    return taken


def test_what_is_taken_and_renewed_is_prepared_in_few_statements(postgres_url: str) -> None:
    async def look() -> None:
        async with opened(postgres_url) as store:
            for number in range(1, 20):
                names = [f"workflow-{n}" for n in range(number)]
                left_out = [(f"{n}", f"state-{n}") for n in range(number)]
                for workflows in (None, names):
                    for without in ((), left_out):
                        await store.take(number, LEASE, workflows=workflows, without=without)
                await store.renew_all([Claimed(name, number) for name in names], LEASE)
            prepared = b"SELECT statement FROM pg_prepared_statements WHERE strpos(statement, 'UPDATE fsm_agent') > 0"
            kinds = Counter("SKIP LOCKED" in text for (text,) in await store._read(prepared, {}))
            assert kinds == {True: 4, False: 1}

    asyncio.run(look())


def test_names_that_postgresql_has_no_bytes_for_may_be_chosen_and_renewed(postgres_url: str) -> None:
    odd, name = 'nul \0, half \ud83d, "quoted\\', '"two", {words\\'

    async def look() -> None:
        async with opened(postgres_url) as store:
            await store.save_workflow("f00", {"workflow": name, "version": 1})
            there: dict[str, Any] = {"workflow": name, "definition": "f00", "state": odd, **RUNNING}
            creation = a_creation(odd)
            await store.create(creation._replace(head=creation.head._replace(**there)))
            assert list(await store.take(1, LEASE, workflows=[name], without=[("f00", odd)])) == []
            assert list(await store.take(1, LEASE, workflows=[name], without=[("f00", "open")])) == [Claimed(odd, 2)]
            assert list(await store.renew_all([Claimed(odd, 2)], THERE)) == [odd]
            assert (await store.head(odd)).lease == THERE

    asyncio.run(look())


def test_the_backlog_counts_who_is_due_by_workflow_for_whoever_may_see_no_more(postgres: PostgresServer) -> None:
    url = postgres.empty_database("agents")
    now_ms = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    async def look() -> None:
        async with opened(url) as store:
            for name, workflow in (("one", ORDER), ("two", ORDER), ("refund", REFUND)):
                await store.create(a_creation(name, workflow=workflow, **RUNNING))
            lapsed = Lease(LEASE.holder, NEW_YEAR_MS)
            await store.create(a_creation("lapsed", lease=lapsed, **RUNNING))
            far = Lease(LEASE.holder, 99_999_999_999_999)
            await store.create(a_creation("held", lease=far, **RUNNING))
            await store.create(a_creation("waits", timers=(ArmedTimer("open", "1h", far.until_ms),)))

    asyncio.run(look())
    for column, ago_s, names in (
        ("wake_ms", 90, ["two"]),
        ("wake_ms", 5, ["one", "refund"]),
        ("until_ms", 20, ["lapsed"]),
    ):
        moved = f"UPDATE fsm_agent.agents SET {column} = {now_ms} - {ago_s * 1_000}"  # noqa: S608 - words of this test
        postgres.execute(f"{moved} WHERE id = ANY ('{{{','.join(names)}}}')", "agents")
    postgres.execute(
        "DROP ROLE IF EXISTS scaler; CREATE ROLE scaler LOGIN PASSWORD 'richtig'; "
        "GRANT USAGE ON SCHEMA fsm_agent TO scaler; GRANT SELECT ON fsm_agent.backlog TO scaler",
        "agents",
    )
    with psycopg.connect(postgres.url("agents", user="scaler:richtig"), autocommit=True) as scaler:
        found = scaler.execute("SELECT namespace, workflow, due, oldest_s FROM fsm_agent.backlog").fetchall()
        wanted = "SELECT due FROM fsm_agent.backlog WHERE namespace = %s AND workflow = %s"
        assert scaler.execute(wanted, ("default", "order")).fetchall() == [(3,)]
        assert scaler.execute(wanted, ("other", "order")).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scaler.execute("SELECT cold FROM fsm_agent.agents")
    postgres.execute("DROP OWNED BY scaler", "agents")
    by_workflow = {workflow: (namespace, due, oldest_s) for namespace, workflow, due, oldest_s in found}
    assert {workflow: counted[:2] for workflow, counted in by_workflow.items()} == {
        "order": ("default", 3),
        "refund": ("default", 1),
    }
    assert 90 <= by_workflow["order"][2] < 150
    assert 5 <= by_workflow["refund"][2] < 65


@pytest.mark.parametrize("is_known", [False, True])
def test_the_backlog_reads_only_who_is_due(postgres: PostgresServer, *, is_known: bool) -> None:
    url = postgres.make_database("counted")

    async def look() -> list[str]:
        async with opened(url) as store:
            fill(postgres, "counted", is_known=is_known)
            plans = await note_plans(store)
            for which in (b"", b"WHERE namespace = 'default'", b"WHERE namespace = 'default' AND workflow = 'order'"):
                found = await store._read(b"SELECT workflow, due FROM fsm_agent.backlog " + which, {})
                assert found == [("order", 100)]
            return [plan for plan in plans if "on agents" in plan]

    plans = asyncio.run(look())
    assert len(plans) == 3
    assert all("using due on agents" in plan and "Seq Scan on agents" not in plan for plan in plans)
