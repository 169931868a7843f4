"""Agents in a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.lease import Claimed
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AppendedMessages, Origin, Snapshot
from fsm_agent.domain.selection import ANYBODY, Selection
from fsm_agent.domain.step import KeyOutcome
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import Conflict, StoreCorrupt, UserConflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.stores.clock import ServerClock
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.postgres.text_escape import kept, told
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import DurableStoreContract
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    PING,
    a_commit,
    a_creation,
    a_head,
    a_step,
    all_of,
    an_effect,
    in_loop,
    keep_definitions,
)
from tests.support.postgres_stores import note_plans
from tests.support.servers.postgres import PostgresServer
from tests.support.thread_verbs import HELLO, use_every_thread_verb

#: PostgreSQL has no bytes for the first two.
ODD_NAMES = ("nul \0", "half a pair \ud83d", "our mark \x1a", "\x1a0000", "\\u001a", "東京")


class TestPostgresStore(DurableStoreContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @in_loop
    async def test_an_adoption_that_is_rolled_back_leaves_the_statements_of_others_alone(self, store: Store) -> None:
        await store.create(a_creation())
        export = await store.dump(ID)
        for _ in range(8):  # psycopg prepares what it says for the sixth time
            await store.adopt(export, replaces=export.head)
            assert await store.dump(ID) == export
        with pytest.raises(StoreCorrupt):
            await store.adopt(export._replace(head=export.head._replace(definition="unknown")), replaces=export.head)
        assert await store.dump(ID) == export

    @in_loop
    async def test_no_verb_reads_a_table_from_end_to_end(self, postgres: PostgresServer) -> None:
        # which index it takes of small tables depends on what autovacuum has seen of them
        async with open_store(postgres.make_database("plans"), clock=lambda: NEW_YEAR_MS) as store:
            await fill(store)
            postgres.execute("VACUUM ANALYZE", "plans")
            await self._look_at_plans(store)

    async def _look_at_plans(self, store: Store) -> None:
        assert isinstance(store, PostgresStore)
        plans = await note_plans(store)
        await say_every_verb(store)
        assert len(plans) > 25
        of_agents = ("due", "held", "by_status", "by_name", "started", "history_pkey", "keys_pkey", "effects_pkey")
        found_by = ("newest", "newest_by_name", "serving", "labelled", "labelled_by_name")
        asked_by = ("asking", "asking_by_name", "asked", "addressed")
        for index in (*of_agents, *found_by, *asked_by, "messages_pkey", "shared", "users_pkey"):
            assert any(f"using {index}" in plan or f"Scan on {index}" in plan for plan in plans), index
        assert [plan for plan in plans if "Seq Scan" in plan] == []
        lapsed = [plan for plan in plans if "head.until_ms <= " in plan]
        assert lapsed
        assert all("using held" in plan and "Sort" not in plan for plan in lapsed)
        tails = [plan for plan in plans if "ORDER BY number DESC" in plan]
        assert tails
        assert all("Index Scan Backward using messages_pkey" in plan and "Sort" not in plan for plan in tails)

    @in_loop
    async def test_names_that_postgresql_has_no_bytes_for_come_back(self, store: Store) -> None:
        await store.create(a_creation()._replace(key=ODD_NAMES[0], fingerprint=ODD_NAMES[1]))
        for version, name in enumerate(ODD_NAMES, 2):
            step = a_step(version, by=name, reason=name, target=name)
            commit = a_commit(version, key=name, fingerprint=name, head={"state": name})
            await store.commit(commit._replace(step=step))
            await store.begin_effect(ID, an_effect(name))
            record = await store.load(ID, key=name)
            assert (record.head.state, record.tail[-1], record.outcome) == (name, step, KeyOutcome(version, name))
        assert [step.by for step in await store.history(ID, after=1)] == list(ODD_NAMES)
        assert {entry.name for entry in await store.effects(ID)} == set(ODD_NAMES)
        assert await store.find_key(ODD_NAMES[0]) == (ID, ODD_NAMES[1])
        export = await store.dump(ID)
        assert set(export.keys) == set(ODD_NAMES)
        await store.delete(export.head)
        await store.adopt(export)
        assert await store.dump(ID) == export

    @in_loop
    async def test_threads_users_and_who_speaks_may_have_such_names(self, store: Store) -> None:
        for name in ODD_NAMES:
            await store.append(name, [HELLO._replace(by=name, content=name)])
            await store.revise(name, [HELLO._replace(by=f"{name}!", content=name, number=1)])
            assert list(await store.messages(name)) == [HELLO._replace(by=f"{name}!", content=name, number=1)]
            await store.save_user(UserRecord(name, 1, {"name": name}))
            assert (await store.user(name)).values == {"name": name}
        assert set(await store.threads()) == set(await store.users()) == set(ODD_NAMES)

    @in_loop
    async def test_steps_that_add_to_the_same_threads_never_wait_in_a_circle(self, store: Store) -> None:
        assert isinstance(store, PostgresStore)
        await store.create(a_creation())
        await store.append("a", [HELLO])
        step = a_commit(2, said=tuple(AppendedMessages(room, (HELLO,)) for room in ("c", "b", "a")))
        async with store._pool.lent() as session:
            await session.run(b"BEGIN", {})
            await session.run(b"SELECT FROM fsm_agent.thread_names WHERE name = 'a' FOR UPDATE", {})
            waiting = asyncio.ensure_future(store.commit(step))
            while not await store._pool.run(b"SELECT FROM pg_locks WHERE NOT granted", {}):
                assert not waiting.done()
            assert [await store.append(room, [HELLO]) for room in ("b", "c")] == [1, 1], "it holds none while it waits"
            await session.run(b"COMMIT", {})
        await waiting
        assert [len(await store.messages(room)) for room in ("a", "b", "c")] == [2, 2, 2]

    @in_loop
    async def test_a_user_whom_two_agents_change_at_once_is_changed_once(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        stores, agents = (store, open_again()), ["a", "b"]
        for agent_id in agents:
            await store.create(a_creation(agent_id))
        for version in range(1, 21):
            heads = [await store.head(agent_id) for agent_id in agents]
            user = UserRecord("ana", version, {"n": version})
            commits = [a_commit(head.version + 1, head={"id": head.id}, user=user) for head in heads]
            racing = (own.commit(commit) for own, commit in zip(stores, commits, strict=True))
            outcomes = await asyncio.gather(*racing, return_exceptions=True)
            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Committed", "UserConflict"]
            assert await store.user("ana") == user
        assert sum([(await store.head(agent_id)).version for agent_id in agents]) == 22

    @in_loop
    async def test_a_stale_user_settles_no_effect(self, store: Store) -> None:
        await store.create(a_creation())
        await store.begin_effect(ID, an_effect())
        settlement = Settlement(an_effect().key, was_done=True, result="x")
        for version in (1, 2):  # as somebody new, and as somebody who was there
            with suppress(UserConflict):
                await store.save_user(UserRecord("ana", version))
            with pytest.raises(UserConflict):
                await store.commit(a_commit(2, settlement=settlement, user=UserRecord("ana", version)))
            assert (await store.effects(ID))[0].is_open
        await store.commit(a_commit(2, settlement=settlement, user=UserRecord("ana", 3)))
        assert not (await store.effects(ID))[0].is_open

    @in_loop
    async def test_a_definition_is_its_namespaces_own(self, store: Store, open_again: Callable[..., Store]) -> None:
        other = open_again("other")
        await other.save_workflow("f00", {"workflow": "theirs", "version": 1})
        await store.save_workflow("f00", {"workflow": "ours", "version": 1})
        assert (await other.load_workflow("f00"))["workflow"] == "theirs"
        assert (await store.load_workflow("f00"))["workflow"] == "ours"

    @in_loop
    async def test_many_tasks_of_two_stores_leave_no_gap(self, store: Store, open_again: Callable[..., Store]) -> None:
        stores, agents = (store, open_again()), [f"agent-{n}" for n in range(6)]
        for agent_id in agents:
            await store.create(a_creation(agent_id))

        async def drive(own: Store, agent_id: str) -> int:
            taken = 0
            while (version := (await own.head(agent_id)).version) < 20:
                with suppress(Conflict):
                    await own.commit(a_commit(version + 1, head={"id": agent_id}, key=f"k{version}"))
                    taken += 1
            return taken

        drivers = [drive(own, agent_id) for agent_id in agents for own in stores for _ in range(3)]
        assert sum(await asyncio.gather(*drivers)) == 19 * len(agents)
        for agent_id in agents:
            assert [step.version for step in await store.history(agent_id)] == list(range(1, 21))

    @in_loop
    async def test_a_key_that_two_stores_use_at_once_is_used_once(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again()
        await store.create(a_creation())
        for version in range(2, 22):
            key = f"k{version}"
            racing = (store.enqueue(ID, None, PING._replace(key=key)), other.commit(a_commit(version, key=key)))
            outcomes = await asyncio.gather(*racing, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes].count(Conflict) == 1
            if isinstance(outcomes[1], Conflict):
                await other.commit(a_commit(version))
        record, history = await all_of(store)
        assert [step.version for step in history] == list(range(1, 22))
        assert record.head.queued == len(record.queue)

    @in_loop
    async def test_a_result_that_is_told_while_an_operator_settles_wins_or_loses_whole(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again()
        await store.create(a_creation())
        version = 1
        for use in range(1, 21):
            entry = an_effect(use=use)
            await store.begin_effect(ID, entry)
            commit = a_commit(version + 1, settlement=Settlement(entry.key, was_done=True, result="operator"))
            told_by_driver = store.end_effect(ID, entry._replace(ended_ms=NEW_YEAR_MS, result="driver"))
            ended, settled = await asyncio.gather(told_by_driver, other.commit(commit), return_exceptions=True)
            assert ended is isinstance(settled, Conflict)
            (last,) = [each for each in await store.effects(ID) if each.use == use]
            assert last.result == ("driver" if ended else "operator")
            version = (await store.head(ID)).version
        assert [step.version for step in await store.history(ID)] == list(range(1, version + 1))

    @in_loop
    async def test_a_caller_that_is_cancelled_leaves_a_clean_pool(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        assert isinstance(store, PostgresStore)
        await store.create(a_creation())
        for _ in range(30):
            version = (await store.head(ID)).version
            committing = asyncio.ensure_future(store.commit(a_commit(version + 1)))
            for _ in range(version % 4):
                await asyncio.sleep(0)
            committing.cancel()
            with suppress(asyncio.CancelledError):
                await committing
            assert (await store.head(ID)).version in {version, version + 1}
        assert not store._pool._lent
        assert all(session.is_quiet and session.is_between_transactions for session in store._pool._idle)
        many = await asyncio.gather(*(store.head(ID) for _ in range(40)))
        assert len({head.version for head in many}) == 1

    @in_loop
    async def test_more_callers_than_connections_take_turns(self, store: Store, url: str) -> None:
        await store.create(a_creation())
        async with open_store(f"{url}?pool_size=2") as small:
            assert isinstance(small, PostgresStore)
            assert len(await asyncio.gather(*(small.head(ID) for _ in range(50)))) == 50
            assert len(small._pool._idle) == 2

    @in_loop
    async def test_the_time_is_the_servers_and_seldom_asked_for(self, postgres: PostgresServer, url: str) -> None:
        async with open_store(url) as store, open_store(url) as other:
            before_ms, times = server_ms(postgres), [await each.now() for _ in range(50) for each in (store, other)]
            after_ms = server_ms(postgres)
            assert before_ms <= times[0] + 50
            assert max(times) <= after_ms
            assert [await store.now() for _ in range(3)] >= [max(times[::2])] * 3

    @in_loop
    async def test_every_session_syncs_what_it_commits(self, postgres: PostgresServer) -> None:
        url = postgres.make_database("lazy")
        for setting, expected in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
            postgres.execute(f"ALTER DATABASE lazy SET synchronous_commit = {setting}")
            async with open_store(url) as store:
                assert isinstance(store, PostgresStore)
                assert await store._pool.run(b"SHOW synchronous_commit", {}) == [(expected,)]

    @in_loop
    async def test_statements_are_prepared_once_whatever_is_null_in_them(self, store: Store) -> None:
        assert isinstance(store, PostgresStore)
        await store.create(a_creation())
        for version in range(2, 12):
            lease = LEASE if version % 2 else None
            step = a_step(version, duration_ms=version * 10**version if version % 3 else None)
            await store.commit(a_commit(version, lease=lease)._replace(step=step))
        prepared = b"SELECT count(*), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE '%step AS%'"
        (row,) = await store._pool.run(prepared, {})
        assert row[0] == 1
        assert int(row[1]) == 0


def server_ms(postgres: PostgresServer) -> int:
    return int(postgres.execute("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)")[0][0])


def test_a_server_clock_is_never_ahead_of_what_it_was_told() -> None:
    told_ms = iter([1_000, 500_000])

    async def ask() -> int:
        return next(told_ms)

    async def look() -> None:
        clock = ServerClock(ask)
        await clock.keep_fresh()
        await clock.keep_fresh()
        assert 1_000 <= clock.read() < 6_000, "asked once"

    asyncio.run(look())


@pytest.mark.parametrize("text", [*ODD_NAMES, "", "plain", None])
def test_what_is_kept_is_told_and_has_bytes(text: str | None) -> None:
    assert told(kept(text)) == text
    assert b"\0" not in (kept(text) or "").encode()


def test_different_names_stay_different() -> None:
    assert len({kept(name) for name in ODD_NAMES}) == len(ODD_NAMES)


async def fill(store: Store) -> None:
    """Agents as there are in a namespace at work: most are held by nobody, and some are due."""
    await keep_definitions(store)
    for number in range(300):
        name = f"other-{number}"
        timers = (ArmedTimer("open", "1h", NEW_YEAR_MS + number),) if number % 4 == 0 else ()
        lasting: dict[str, Any] = {"created_ms": NEW_YEAR_MS + number, "user": f"user-{number % 30}"}
        lasting["labels"] = {"case": f"{number}", "team": f"{number % 3}"}
        asked = Asked("Well?", ((), ("ana",), ("ana", "bob"))[number % 3]) if number % 2 else None
        creation = a_creation(name, lease=LEASE if number % 10 == 0 else None, timers=timers, asked=asked, **lasting)
        await store.create(creation._replace(key=f"start-{number}" if number % 2 else None))
        await store.enqueue(name, 1, PING._replace(key=f"ping-{number}"))
        await store.begin_effect(name, an_effect())
        await store.append(f"room-{number % 30}", [HELLO, HELLO])
        await store.save_user(UserRecord(name, 1, {"name": name}))


async def find_in_every_way(store: Store) -> None:
    await store.heads([ID, "other-1"])
    for selection in (Selection(), Selection(workflow="order"), Selection(user="user-7"), Selection((Status.WAITING,))):
        page = await store.select(selection, newest=True, limit=3)
        await store.select(selection, newest=True, after=page.next)
        await store.select(selection)
    await store.select(Selection(label=("case", "7")))
    for text in (None, "1"):
        page = await store.select(Selection(label=("team", text)), newest=True, limit=3)
        await store.select(Selection(label=("team", text)), newest=True, limit=3, after=page.next)
    for to in (None, ANYBODY, "ana"):
        for workflow in (None, "order"):
            asking = await store.questions(to=to, workflow=workflow, limit=3)
            await store.questions(to=to, workflow=workflow, limit=3, after=asking.next)
            await store.count_questions(to=to, workflow=workflow)
    await store.tally()
    await store.inspect()
    await store.reindex()


async def say_every_verb(store: Store) -> None:
    await store.create(a_creation(lease=LEASE)._replace(key="start"))
    await store.enqueue(ID, 1, PING)
    await store.commit(a_commit(2, dequeue=1, key="k", snapshot=Snapshot(2, {}), lease=LEASE))
    await store.renew(ID, 1, LEASE)
    await store.record_attempt(ID, 1, attempts=1, retry_ms=None)
    await store.release(ID, 1)
    await store.claim(ID, await store.head(ID), LEASE)
    await store.load(ID, key="k")
    await store.history(ID)
    await store.list()
    await store.list(status=Status.WAITING)
    await store.list(workflow="order")
    await store.list(status=Status.WAITING, workflow="order")
    await find_in_every_way(store)
    await store.due(0, 9)
    await store.take(1, LEASE)
    await store.renew_all([Claimed(ID, 2)], LEASE)
    await store.held_here("here")
    await store.lapsed(0, 9)
    await store.find_key("start")
    await store.begin_effect(ID, an_effect(epoch=2))
    await store.begin_effect(ID, an_effect(epoch=2), again=True)
    await store.end_effect(ID, an_effect(epoch=2, ended_ms=1))
    await store.effects(ID)
    await use_every_thread_verb(store, 3, epoch=2)
    await store.size(ID)
    export = await store.dump(ID)
    await store.shorten(await store.head(ID), Origin(a_head(ID, 1), {}))
    await store.origin(ID)
    await store.delete(await store.head(ID))
    await store.adopt(export)
