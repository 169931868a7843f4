"""A plain step takes a short road in SQLite, and leads where the long one does, whatever has happened before."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Commit, Committed, Snapshot
from fsm_agent.domain.step import Delta, Event
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.sqlite import commits
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, LEASE, a_commit, a_creation, keep_definitions
from tests.support.hypothesis_settings import example_settings

#: All rows of all tables, by name.
Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]

#: offsets from what is stored, so that most are right
NEAR = st.sampled_from([0] * 8 + [1, -1])
LEASES = st.none() | st.builds(
    Lease, st.builds(Holder, st.sampled_from(["here", "there"]), st.just(1), st.just(1)), st.integers(0, 1)
)
HEADS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["open", "closed"]),
        "status": st.sampled_from([*[Status.RUNNING] * 5, Status.WAITING, Status.PARKED, Status.DONE]),
        "timers": st.just(()) | st.just((ArmedTimer("open", "1ms", 7),)),
        "asked": st.sampled_from([None, None, None, Asked("?"), Asked("?", ("ana", "bob"), (), 3)]),
    }
)


@dataclass(frozen=True)
class Act:
    """Something that is said to a store; offsets make a stale version, a stale epoch, a head that was read too early.
    Leases and snapshots are as they were, or others."""

    verb: str
    version: int = 0
    epoch: int | None = 0
    seen_epoch: int = 0
    lease: Lease | None = None
    keeps_lease: bool = False
    head: Mapping[str, Any] | None = None
    is_snapshot: bool = False
    more: Mapping[str, Any] | None = None


STEPS = st.builds(
    Act,
    st.just("commit"),
    NEAR,
    st.sampled_from([None, None, *[0] * 6, 1, -1]),
    NEAR,
    LEASES,
    st.sampled_from([True, True, False]),
    HEADS,
    st.booleans(),
    st.sampled_from([*[{}] * 6, {"key": "k"}, {"dequeue": 1}]),
)
VERBS = st.sampled_from(["enqueue", "enqueue", "claim", "renew", "release", "record_attempt"])
ACTS = st.lists(STEPS | STEPS | STEPS | st.builds(Act, VERBS, lease=LEASES), min_size=6, max_size=20)


class LongRoad(SqliteStore):
    """One whose every step takes the long road."""

    async def commit(self, commit: Commit) -> Committed:
        return await self._write(commits.committing_whole(self._space, commit, self.url))


async def heard(store: SqliteStore, act: Act) -> Any:
    return await answer(said(store, act, await store.head(ID)))


async def answer(verb: Awaitable[Any]) -> Any:
    """What a store answers, a refusal included."""
    try:
        return await verb
    except FsmAgentError as error:
        return f"{type(error).__name__}: {error}"


async def said(store: SqliteStore, act: Act, seen: Head) -> Any:
    lease = act.lease or LEASE
    match act.verb:
        case "commit":
            return await store.commit(the_commit(act, seen))
        case "enqueue":
            return await store.enqueue(ID, None, Event("ping"))
        case "claim":
            return await store.claim(ID, seen, lease)
        case "renew":
            return await store.renew(ID, seen.epoch, lease)
        case "release":
            return await store.release(ID, seen.epoch)
        case _:
            return await store.record_attempt(ID, seen.epoch, attempts=1, retry_ms=9)


def the_commit(act: Act, seen: Head) -> Commit:
    version = seen.version + 1 + act.version
    head = {**(act.head or {}), "epoch": seen.epoch + act.seen_epoch}
    return a_commit(version, delta=Delta({"n": version}), head=head)._replace(
        epoch=None if act.epoch is None else seen.epoch + act.epoch,
        lease=seen.lease if act.keeps_lease else act.lease,
        snapshot=Snapshot(version, {"n": version}) if act.is_snapshot else None,
        **(act.more or {}),
    )


def rows_of(store: SqliteStore) -> Rows:
    db = store._db
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {name: list(db.execute(f"SELECT * FROM {name} ORDER BY 1, 2")) for name in names}  # noqa: S608 - ours


async def compare(folder: Path, acts: Sequence[Act], last: Commit | None = None) -> None:
    """Say the same to two stores, one of which knows the long road only; ``last`` as it is, whatever has happened."""
    clock = FakeClock(NEW_YEAR_MS)
    async with (
        SqliteStore(folder / "short.db", clock=clock) as short,
        LongRoad(folder / "long.db", clock=clock) as long,
    ):
        for store in (short, long):
            await keep_definitions(store)
            await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
        for act in acts:
            assert await heard(short, act) == await heard(long, act)
            assert rows_of(short) == rows_of(long)
        if last is not None:
            assert await answer(short.commit(last)) == await answer(long.commit(last))
            assert rows_of(short) == rows_of(long)


@example_settings(60)
@given(ACTS)
def test_both_roads_answer_alike_and_leave_the_same_rows(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder), acts))


async def statements_of(store: SqliteStore, commit: Commit) -> list[str]:
    """The first words of what a commit says to the database."""
    told: list[str] = []

    def trace(_: apsw.Cursor, sql: str, __: Any) -> bool:
        told.append(sql.split(maxsplit=1)[0])
        return True

    store._db.set_exec_trace(trace)
    await store.commit(commit)
    store._db.set_exec_trace(None)
    return told


def test_a_plain_step_is_one_insert_and_one_update(tmp_path: Path) -> None:
    """By whoever holds the agent, by whoever lets go of it, and from outside, to another status as well; a snapshot is
    one more."""

    async def step() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation(status=Status.RUNNING, lease=LEASE))
            at_work = {"status": Status.RUNNING, "epoch": 1}
            plain = ["BEGIN", "INSERT", "UPDATE", "COMMIT"]
            assert await statements_of(store, a_commit(2, head=at_work, lease=LEASE)) == plain
            assert await statements_of(store, a_commit(3, head={"epoch": 1})) == plain
            assert await statements_of(store, a_commit(4, head={"epoch": 1}, epoch=None)) == plain
            kept = a_commit(5, head={"epoch": 2}, epoch=2, snapshot=Snapshot(5, {}))
            assert await statements_of(store, kept) == [*plain[:3], "INSERT", "COMMIT"]
            assert (
                await statements_of(store, a_commit(6, head={**at_work, "epoch": 2}, epoch=None, lease=LEASE)) == plain
            )
            assert await statements_of(store, a_commit(7, head={"status": Status.DONE}, epoch=3)) == plain

    asyncio.run(step())


def test_a_commit_is_one_transaction_on_the_long_road_too(tmp_path: Path) -> None:
    async def step() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation())
            asks, asks_others = ({"asked": Asked("?", (name,))} for name in ("ana", "bob"))
            for commit in (a_commit(2, key="k"), a_commit(3, head=asks), a_commit(4, head=asks_others), a_commit(5)):
                told = await statements_of(store, commit)
                assert (told[0], told[-1], told.count("BEGIN"), told.count("COMMIT")) == ("BEGIN", "COMMIT", 1, 1)

    asyncio.run(step())


OTHERS = {
    "an event is queued": Act("enqueue"),
    "another version": Act("commit", lease=LEASE),
    "another epoch": Act("claim"),
    "another lease": Act("renew", lease=Lease(Holder("here", 7, 1), LEASE.until_ms)),
    "no lease": Act("release"),
    "another due time": Act("record_attempt"),
}


@pytest.mark.parametrize("lease", [LEASE, None])
@pytest.mark.parametrize("epoch", [1, None])
@pytest.mark.parametrize("other", OTHERS)
def test_whatever_else_has_changed_is_decided_by_the_long_road(
    tmp_path: Path, other: str, epoch: int | None, lease: Lease | None
) -> None:
    as_before = a_commit(2, epoch=epoch, lease=lease, head={"status": Status.RUNNING, "epoch": 1})
    asyncio.run(compare(tmp_path, [OTHERS[other]], as_before))


@pytest.mark.parametrize("before", [{"status": Status.PARKED}, {"asked": Asked("?", ("ana",))}, {"asked": Asked("?")}])
def test_whoever_was_parked_or_asked_something_takes_the_long_road(tmp_path: Path, before: dict[str, Any]) -> None:
    """What it stood under in an index, only the long road knows."""
    then = a_commit(3, epoch=None, head={"asked": Asked("?", ("bob",)), "epoch": 2})
    asyncio.run(compare(tmp_path, [Act("commit", epoch=None, head=before)], then))
    (tmp_path / "again").mkdir()
    then = a_commit(3, epoch=None, head={"epoch": 2})
    asyncio.run(compare(tmp_path / "again", [Act("commit", epoch=None, head=before)], then))


def test_what_was_seen_too_early_from_outside_takes_the_long_road_and_is_taken(tmp_path: Path) -> None:
    async def step() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation())
            await store.claim(ID, await store.head(ID), LEASE)
            assert await store.commit(a_commit(2, head={"epoch": 1}, epoch=None)) == Committed(3, 0)

    asyncio.run(step())


def test_a_load_is_two_queries_in_one_view(tmp_path: Path) -> None:
    """Head and snapshot, and the steps since; an event that comes to a waiting agent begins with nothing else."""

    async def load() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation())
            await store.commit(a_commit(2, snapshot=Snapshot(2, {"n": 2})))
            told: list[str] = []
            store._db.set_exec_trace(lambda _, sql, __: told.append(sql.split()[0]) or True)
            record = await store.load(ID)
            store._db.set_exec_trace(None)
            assert (record.head.version, record.snapshot, record.tail) == (2, Snapshot(2, {"n": 2}), ())
            assert told == ["BEGIN", "SELECT", "WITH", "COMMIT"]

    asyncio.run(load())
