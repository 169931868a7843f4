"""Retention forgets what it says and nothing else, whoever moves meanwhile; what agents weigh adds up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent import sync
from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.record import AgentExport, Commit, Committed, Origin
from fsm_agent.domain.retention import Retention, read_history
from fsm_agent.domain.state import Duration
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentNotFound, KeyMissing, VersionMissing
from fsm_agent.runtime.maintenance.purge import Purged, RetentionSweeper, purge
from fsm_agent.runtime.maintenance.reseal import reseal
from fsm_agent.runtime.maintenance.size import weigh
from fsm_agent.runtime.replay import agent_at
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from fsm_agent.testing.contract.fixtures import LEASE, a_creation, a_head, an_effect, keep_definitions
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import flow, on_loop
from tests.support.thread_verbs import HELLO

DAY: Final = Duration.parse("1d")
DAY_MS: Final = DAY.ms
NOW: Final = NEW_YEAR_MS + 100 * DAY_MS
TIMERS: Final = (ArmedTimer("open", "1h", NOW + 1),)

KEEPING: Final = flow("""
    data:
      n: {type: integer, default: 0}
      text: {type: string, default: ""}
      log: {type: array, items: {type: integer}, default: []}
    events: {told: {n: integer, text: string}, moved: {}, finished: {}}
    initial: first
    on:
      told: {assign: {n: event.n, text: event.text}, append: {log: event.n}}
      finished: done
    states:
      first: {after: {5d: first}, on: {moved: second}}
      second: {ask: {prompt: "{{ data.n }}?", events: [moved]}, on: {moved: first}}
      done: {final: true, output: {n: data.n}}
""")


def an_aged(age_ms: int, **changes: Any) -> Head:
    return a_head(updated_ms=NOW - age_ms, **changes)


@pytest.mark.parametrize(
    ("head", "is_over"),
    [
        (an_aged(DAY_MS, status=Status.DONE), True),
        (an_aged(DAY_MS, status=Status.FAILED), True),
        (an_aged(DAY_MS, status=Status.CANCELLED), True),
        (an_aged(DAY_MS - 1, status=Status.DONE), False),
        (an_aged(DAY_MS, status=Status.DONE, queued=1), False),
        (an_aged(DAY_MS, status=Status.DONE, lease=LEASE), False),
        (an_aged(3 * DAY_MS), True),
        (an_aged(3 * DAY_MS - 1), False),
        (an_aged(3 * DAY_MS, timers=TIMERS), False),
        (an_aged(3 * DAY_MS, queued=1), False),
        (an_aged(3 * DAY_MS, lease=LEASE), False),
        (an_aged(99 * DAY_MS, status=Status.RUNNING), False),
        (an_aged(99 * DAY_MS, status=Status.PARKED), False),
    ],
)
def test_who_is_over_is_told_by_status_and_age(head: Head, is_over: bool) -> None:
    assert Retention(finished=DAY, idle=Duration.parse("3d")).is_over(head, NOW) is is_over
    assert not Retention(history=1).is_over(head, NOW)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, Retention()),
        ({"history": 7, "finished": "30d"}, Retention(history=7, finished=Duration.parse("30d"))),
        ({"history": "since-snapshot", "idle": "0s"}, Retention(history="since-snapshot", idle=Duration.parse("0s"))),
        ({"history": "12"}, Retention(history=12)),
    ],
)
def test_a_retention_is_read_from_settings(section: dict[str, Any], expected: Retention) -> None:
    assert Retention.read(section) == expected


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"finish": "1d"}, "unknown key 'finish' (did you mean `finished`?); there are history, finished, idle"),
        ({"finished": 30}, 'finished must be a duration as text, such as "30d", and is 30'),
        ({"idle": "soon"}, "idle: 'soon' is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d"),
        ({"history": 0}, "history 0 is not allowed: write all, since-snapshot, or how many steps (1 ...)"),
        ({"history": True}, "history true is not allowed: write all, since-snapshot, or how many steps (1 ...)"),
        ({"history": "some"}, "history 'some' is not allowed: write all, since-snapshot, or how many steps (1 ...)"),
        ({"history": "\u0663"}, "history '\u0663' is not allowed: write all, since-snapshot, or how many"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is compared
        Retention.read(section)
    assert str(refused.value).startswith(said)


AGES: Final = st.integers(0, 5).map(lambda days: days * DAY_MS)
LIMITS: Final = st.none() | st.integers(0, 5).map(lambda days: Duration.parse(f"{days}d"))
RUN_OUT: Final = Lease(Holder("there", 1, 1), NOW)
POPULATION: Final = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(Status),
            "updated_ms": AGES.map(lambda age: NOW - age),
            "timers": st.sampled_from([(), TIMERS]),
            "lease": st.sampled_from([None, None, RUN_OUT, Lease(Holder("there", 1, 1), NOW + 1)]),
        }
    ),
    max_size=8,
)


@example_settings(80)
@given(POPULATION, LIMITS, LIMITS)
def test_what_is_not_due_is_never_deleted_and_what_is_goes_once(
    population: list[dict[str, Any]], finished: Duration | None, idle: Duration | None
) -> None:
    async def compare() -> None:
        clock = FakeClock(NOW)
        async with open_store("memory://", clock=clock) as store:
            await keep_definitions(store)
            due = []
            for number, facts in enumerate(population):
                await store.create(a_creation(f"a{number}", **facts))
                age = Duration("", NOW - facts["updated_ms"])
                ended = facts["status"] in ("done", "failed", "cancelled")
                limit = finished if ended else idle
                rests = ended or (facts["status"] == "waiting" and not facts["timers"])
                if limit is not None and rests and facts["lease"] in (None, RUN_OUT) and age.ms >= limit.ms:
                    due.append(f"a{number}")
            retention = Retention(finished=finished, idle=idle)
            before = await all_of(store)
            assert await purge(store, retention, is_dry=True) == Purged(due, is_dry=True)
            assert await all_of(store) == before
            assert await purge(store, retention) == Purged(due)
            assert await all_of(store) == {key: _free(kept) for key, kept in before.items() if key not in due}
            assert await purge(store, retention) == Purged()

    asyncio.run(compare())


def _free(kept: AgentExport) -> AgentExport:
    """Without a lease that has run out, unless the agent has work to do: that is for whoever drives it."""
    is_left = kept.head.lease == RUN_OUT and kept.head.status is not Status.RUNNING
    return kept._replace(head=kept.head._replace(lease=None)) if is_left else kept


async def all_of(store: Store) -> dict[str, Any]:
    return {head.id: await store.dump(head.id) for head in (await store.list(limit=1_000)).heads}


async def live_a_while(runner: Runner, clock: FakeClock, agent_id: str, events: str) -> None:
    """``t``old, ``m``oved, ``d``ays pass, ``f``inished."""
    await runner.start(KEEPING, id=agent_id)
    for number, what in enumerate(events):
        if what == "d":
            clock.advance(days=5)
            await runner.resume(agent_id)
        elif what == "t":
            await runner.send(agent_id, "told", {"n": number, "text": f"{number}" * 200}, key=f"key-{number}")
        else:
            await runner.send(agent_id, "moved" if what == "m" else "finished")


@example_settings(40)
@given(st.text("tmd", max_size=12), st.integers(1, 8) | st.just("since-snapshot"), st.booleans())
def test_a_shortened_agent_lives_on_as_it_was(events: str, history: Any, is_over: bool) -> None:
    async def compare() -> None:
        clock = FakeClock()
        async with Runner(open_store("memory://", clock=clock)) as runner:
            await live_a_while(runner, clock, "a", events + ("f" if is_over else ""))
            agent, steps, store = await runner.get("a"), list(await runner.history("a")), runner.store
            told = {step.version: (await agent_at(store, "a", step.version))[0] for step in steps}
            retention = Retention(history=history)
            dry = await purge(store, retention, is_dry=True)
            assert (await runner.history("a"), await store.origin("a")) == (steps, None)
            purged = await runner.purge(retention)
            assert purged == replace(dry, is_dry=False)
            forgotten = purged.shortened.get("a", 0)
            kept = list(await runner.history("a"))
            assert kept == steps[forgotten:]
            if isinstance(history, int):
                assert len(kept) == min(history, len(steps))
            assert await runner.get("a") == agent
            replayed = await runner.replay("a")
            assert (replayed.mismatches, replayed.first) == ([], max(1, forgotten))
            for version in range(max(1, forgotten), len(steps) + 1):
                assert (await agent_at(store, "a", version))[0] == told[version]
            if forgotten > 1:
                with pytest.raises(VersionMissing, match="is forgotten"):
                    await runner.rewind("a", forgotten - 1)
            rest = await store.dump("a")
            looser = history + 1 if isinstance(history, int) else 99
            for repeated in (retention, Retention(history=looser)):
                assert await runner.purge(repeated) == Purged()
                assert await store.dump("a") == rest, "not even the epoch"
            if not is_over:
                again = await runner.send("a", "told", {"n": 99, "text": ""})
                assert again.data["log"] == [*agent.data["log"], 99]

    asyncio.run(compare())


@on_loop
async def test_what_a_snapshot_covers_is_forgotten_and_no_more() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        await live_a_while(runner, clock, "a", "t" * 12)
        snapshot = (await runner.store.load("a")).snapshot
        assert snapshot is not None
        agent = await runner.get("a")
        purged = await runner.purge(Retention(history="since-snapshot"))
        assert purged.shortened == {"a": snapshot.version}
        assert [step.version for step in await runner.history("a")] == list(range(snapshot.version + 1, 14))
        assert await runner.get("a") == agent


@on_loop
async def test_who_is_held_is_neither_shortened_nor_deleted() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        await live_a_while(runner, clock, "a", "ttmf")
        await runner.store.claim("a", await runner.store.head("a"), Lease(Holder("there", 1, 1), clock.ms + 1))
        before = await all_of(runner.store)
        assert await runner.purge(Retention(history=1, finished=Duration.parse("0s"))) == Purged()
        assert await all_of(runner.store) == before


class Overtaken(MemoryStore):
    """A store in which somebody is always a moment faster than who keeps house."""

    async def delete(self, seen: Head) -> None:
        await self.claim(seen.id, seen, LEASE)
        await super().delete(seen)

    async def shorten(self, seen: Head, origin: Origin) -> int:
        await super().delete(seen)
        return await super().shorten(seen, origin)


@on_loop
async def test_who_moves_meanwhile_is_left_alone() -> None:
    clock = FakeClock()
    async with Runner(Overtaken(clock=clock)) as runner:
        await live_a_while(runner, clock, "ended", "f")
        await live_a_while(runner, clock, "talks", "tttm")
        assert await runner.purge(Retention(history=1, finished=Duration.parse("0s"))) == Purged()
        assert (await runner.store.head("ended")).lease == LEASE


@on_loop
async def test_only_those_that_are_named_go_and_an_unknown_one_keeps_all() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        for agent_id in ("a", "b", "c"):
            await live_a_while(runner, clock, agent_id, "f")
        at_once = Retention(finished=Duration.parse("0s"))
        with pytest.raises(AgentNotFound, match="'nobody'"):
            await runner.purge(at_once, agent_ids=["a", "nobody"])
        assert (await runner.purge(at_once, agent_ids=["a", "b"], workflow="other")).deleted == []
        assert (await runner.purge(at_once, agent_ids=["b", "b"])).deleted == ["b"]
        assert (await runner.purge(at_once, workflow="w")).deleted == ["a", "c"]


@on_loop
async def test_a_history_that_does_not_open_is_left_and_says_why(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/a.db", FakeClock()
    async with Runner(open_store(url, clock=clock, keys={"k": b"k" * 32})) as runner:
        await live_a_while(runner, clock, "a", "tttt")
        await live_a_while(runner, clock, "b", "f")
        before = await all_of(runner.store)
    async with open_store(url, clock=clock) as keyless:
        purged = await purge(keyless, Retention(history=1))
        assert {agent_id: str(KeyMissing("k")) for agent_id in ("a", "b")} == purged.left
        assert (purged.deleted, purged.shortened) == ([], {})
        assert (await purge(keyless, Retention(finished=Duration.parse("0s")))).deleted == ["b"]
    async with open_store(url, clock=clock, keys={"k": b"k" * 32}) as store:
        assert await all_of(store) == {"a": before["a"]}


# --- the worker


@on_loop
async def test_a_worker_looks_at_all_agents_bit_by_bit_once_an_hour() -> None:
    clock = FakeClock(NOW)
    async with open_store("memory://", clock=clock) as store:
        await keep_definitions(store)
        for number in range(250):
            await store.create(a_creation(f"a{number:03}", status=Status.DONE, updated_ms=NOW - number * DAY_MS))
        housekeeper = RetentionSweeper(store, Retention(finished=Duration.parse("50d")))
        assert [len((await housekeeper.turn()).deleted) for _ in range(4)] == [50, 100, 50, 0]
        clock.advance(minutes=59)
        await store.create(a_creation("late", status=Status.DONE, updated_ms=NOW - 99 * DAY_MS))
        assert (await housekeeper.turn()).deleted == []
        clock.advance(minutes=1)
        assert (await housekeeper.turn()).deleted == ["late"]


@on_loop
async def test_a_worker_keeps_house_while_it_runs() -> None:
    clock, stopped = FakeClock(), asyncio.Event()

    class Watched(MemoryStore):
        async def delete(self, seen: Head) -> None:
            await super().delete(seen)
            stopped.set()

    async with Runner(Watched(clock=clock)) as runner:
        await live_a_while(runner, clock, "a", "f")
        worker = Worker(runner, every=timedelta(milliseconds=1), retention=Retention(finished=Duration.parse("0s")))
        await worker.run(stopped)
        assert (await runner.store.list()).heads == ()


def test_blocking_code_purges_too() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(KEEPING, "finished", id="a")
        assert runner.purge(Retention(finished=Duration.parse("0s")), is_dry=True).deleted == ["a"]


# --- sealed afresh


@on_loop
async def test_resealing_frees_agents_from_an_old_key(tmp_path: Path) -> None:
    url, clock, old, new = f"sqlite:///{tmp_path}/a.db", FakeClock(), {"old": b"o" * 32}, {"new": b"n" * 32}
    async with Runner(open_store(url, clock=clock, keys=old)) as runner:
        await live_a_while(runner, clock, "a", "ttm")
        await live_a_while(runner, clock, "held", "t")
        await live_a_while(runner, clock, "doubts", "t")
        epoch = (await runner.store.head("doubts")).epoch
        await runner.store.begin_effect("doubts", an_effect(epoch=epoch))
        await runner.store.claim("held", await runner.store.head("held"), Lease(Holder("there", 1, 1), clock.ms + 1))
        before = await all_of(runner.store)
    async with open_store(url, clock=clock, keys={**new, **old}) as store:
        resealed = await reseal(store)
        assert resealed.agents == ["a"]
        assert resealed.left == {
            "doubts": "an effect of it is open; try again when that has ended or is settled",
            "held": "it is driven by process 1 on there now; try again",
        }
        after = await all_of(store)
        for agent_id, export in before.items():
            head = export._replace(head=export.head._replace(epoch=after[agent_id].head.epoch))
            assert after[agent_id] == head
    async with Runner(open_store(url, clock=clock, keys=new)) as runner:
        assert (await runner.answer("a", {})).state == "first"
        assert (await reseal(runner.store, ["held"])).left.keys() == {"held"}
        assert (await reseal(runner.store, ["doubts"])).left == {"doubts": str(KeyMissing("old", ["new"]))}
        assert (await runner.store.list()).heads[1].lease is None


@on_loop
async def test_resealing_frees_shared_threads_and_users_from_an_old_key(tmp_path: Path) -> None:
    url, old, new = f"sqlite:///{tmp_path}/a.db", {"old": b"o" * 32}, {"new": b"n" * 32}
    said = [HELLO._replace(content=str(number)) for number in range(450)]
    async with open_store(url, keys=old) as store:
        await store.append("room", said)
        await store.append("other", said[:1])
        await store.save_user(UserRecord("ana", 1, {"likes": "tea"}))
    async with open_store(url, keys={**new, **old}) as store:
        resealed = await reseal(store)
        assert (resealed.threads, resealed.users, resealed.left) == (["other", "room"], ["ana"], {})
    async with open_store(url, keys=new) as store:
        kept = await store.messages("room")
        assert list(kept) == [each._replace(number=number) for number, each in enumerate(said, 1)]
        assert await store.user("ana") == UserRecord("ana", 2, {"likes": "tea"})
    async with open_store(url, keys=old) as store:
        assert (await reseal(store)).left == {
            name: str(KeyMissing("new", ["old"], what=name.split()[0]))
            for name in ("thread other", "thread room", "user ana")
        }


# --- size


@on_loop
async def test_weights_add_up_and_the_heaviest_come_first() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        await live_a_while(runner, clock, "light", "")
        await live_a_while(runner, clock, "heavy", "ttttt")
        await keep_definitions(runner.store)
        await runner.store.create(a_creation("order"))
        weighed = await weigh(runner.store)
        assert weighed.agents[0].name == "heavy"
        sizes = {each.name: await runner.store.size(each.name) for each in weighed.agents}
        assert {each.name: each.size for each in weighed.agents} == sizes
        assert [(each.workflow, each.agents) for each in weighed.workflows] == [("w", 2), ("order", 1)]
        assert weighed.total.size.total == sum(size.total for size in sizes.values())
        assert weighed.total.size.steps == sum(size.steps for size in sizes.values()) == 8
        assert len((await weigh(runner.store, top=1)).agents) == 1
        assert (await weigh(runner.store, top=1)).total == weighed.total
        assert [each.name for each in (await weigh(runner.store, ["light"])).agents] == ["light"]
        assert (await weigh(runner.store, workflow="nothing")).total.agents == 0


def test_history_rules_are_read_from_text_too() -> None:
    assert [read_history(text) for text in ("all", "since-snapshot", "3", 4)] == ["all", "since-snapshot", 3, 4]


class Slow(MemoryStore):
    """A store in which the first step with a snapshot takes its time from the decision to the write."""

    def __init__(self) -> None:
        super().__init__()
        self.is_decided, self.may_be_written = asyncio.Event(), asyncio.Event()

    async def commit(self, commit: Commit) -> Committed:
        if commit.snapshot is not None and not self.is_decided.is_set():
            self.is_decided.set()
            await self.may_be_written.wait()
        return await super().commit(commit)


@on_loop
async def test_a_step_that_was_decided_before_the_history_was_shortened_loses_nothing() -> None:
    store, numbers = Slow(), list[int]()
    async with Runner(store) as runner:
        await runner.start(KEEPING, id="a")
        while not store.is_decided.is_set():
            numbers.append(len(numbers))
            told = asyncio.create_task(runner.send("a", "told", {"n": numbers[-1], "text": "x" * 300}))
            deciding = asyncio.create_task(store.is_decided.wait())
            await asyncio.wait((told, deciding), return_when=asyncio.FIRST_COMPLETED)
            deciding.cancel()
        assert (await purge(store, Retention.read({"history": 1}))).shortened["a"] > 1
        store.may_be_written.set()
        await told
        assert (await runner.get("a")).data["log"] == numbers
        assert (await runner.replay("a")).is_verified
