"""Agents in tiers: every promise holds while they are moved, and movers may die anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.message import ThreadSpans, own_thread
from fsm_agent.domain.record import AgentExport, AppendedMessages, Origin
from fsm_agent.domain.selection import Selection
from fsm_agent.domain.step import Delta
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentExists, AgentNotFound, Conflict, StoreCorrupt, StoreUrlInvalid
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.tiered.policy import Tiers
from fsm_agent.stores.tiered.store import TieredStore
from fsm_agent.stores.tiered.transfer import stub_of
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import DurableStoreContract, FakeClock
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    PING,
    a_commit,
    a_creation,
    an_effect,
    data_of,
    keep_definitions,
)
from fsm_agent.testing.contract.questions import asked_by, asking, take
from fsm_agent.testing.contract.transfer import a_long_life, an_origin
from tests.support.runtime import on_loop
from tests.support.thread_verbs import HELLO, ROOM

OWN = own_thread(ID)
ENDED = an_effect(ended_ms=5, result="done")


class TestTieredStore(DurableStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"tiered:sqlite:///{tmp_path}/warm.db,sqlite:///{tmp_path}/cold.db"


class TestTieredStoreThatRemembersNothing(DurableStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"tiered:sqlite:///{tmp_path}/warm.db,sqlite:///{tmp_path}/cold.db,hot=0"


class TestTieredStoreOnServers(DurableStoreContract):
    @pytest.fixture
    def url(self, redis_url: str, postgres_url: str) -> str:
        return f"tiered:{redis_url},{postgres_url}"


class Crash(Exception):
    """The process is gone."""


class Mortal(MemoryStore):
    """Dies before or after its n-th write, as both tiers count; lets others have their turn as a server does."""

    def __init__(self, clock: FakeClock, fuse: list[int]) -> None:
        super().__init__(clock=clock)
        self.fuse = fuse

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        self.burn()
        await asyncio.sleep(0)
        await super().adopt(export, replaces=replaces)
        await asyncio.sleep(0)
        self.burn()

    async def dump(self, agent_id: str) -> AgentExport:
        export = await super().dump(agent_id)
        await asyncio.sleep(0)
        return export

    def burn(self) -> None:
        self.fuse[0] -= 1
        if self.fuse[0] == 0:
            raise Crash


class Tiered:
    """A tiered store with its parts in sight."""

    def __init__(self) -> None:
        self.clock, self.fuse = FakeClock(), [0]
        self.warm, self.cold = Mortal(self.clock, self.fuse), Mortal(self.clock, self.fuse)
        self.store = self.another()

    def another(self) -> TieredStore:
        """What another process would open."""
        return TieredStore(Tiers(self.warm, self.cold))

    async def archive(self, agent_id: str = ID) -> bool:
        return await self.store._moves.archive(agent_id)


async def a_settled_life(store: Store) -> None:
    """A long life of which no effect is open, so that the agent may be archived."""
    await a_long_life(store)
    await store.end_effect(ID, ENDED)


@asynccontextmanager
async def a_tiered() -> AsyncIterator[Tiered]:
    tiered = Tiered()
    await keep_definitions(tiered.store)
    await a_settled_life(tiered.store)
    said = (AppendedMessages(OWN, (HELLO, HELLO)), AppendedMessages(ROOM, (HELLO,)))
    head = {"status": Status.DONE, "talk": ThreadSpans(last=2)}
    await tiered.store.commit(a_commit(7, dequeue=1, head=head, said=said, user=UserRecord("ana", 1)))
    yield tiered


async def everything(store: TieredStore) -> list[Any]:
    """All that can be read of the agent, but for the epoch, which a move raises."""
    export = await store.dump(ID)
    record = await store.load(ID, key="key-3")
    heads = [export.head, record.head, await store.head(ID), *(await store.list()).heads]
    return [
        export._replace(head=export.head._replace(epoch=0)),
        record._replace(head=record.head._replace(epoch=0)),
        [head._replace(epoch=0) for head in heads],
        list(await store.history(ID)),
        list(await store.history(ID, after=3, limit=2)),
        list(await store.effects(ID)),
        await store.origin(ID),
        await store.size(ID),
        await store.find_key("start"),
        list(await store.due(2**60, 9)),
        list(await store.messages(OWN)),
        list(await store.messages(OWN, after=1, limit=1, newest=True)),
        {name: list(await store.messages(name)) for name in await store.threads()},
        [await store.user(name) for name in await store.users()],
    ]


@on_loop
async def test_who_is_archived_reads_as_before_and_only_a_stub_stays_in_warm() -> None:
    async with a_tiered() as tiered:
        before = await everything(tiered.store)
        assert await tiered.archive()
        assert await everything(tiered.store) == before
        assert await everything(tiered.another()) == before
        stub = await tiered.warm.dump(ID)
        assert (stub.head.version, stub.steps, stub.snapshot, stub.keys, stub.effects) == (-7, (), None, {}, ())
        assert (stub.messages, list(await tiered.cold.threads()), list(await tiered.cold.users())) == ((), [], [])
        assert [head.epoch for head in ((await tiered.store.load(ID)).head, await tiered.store.head(ID))] == [2, 2]


async def lists_of(store: Store) -> list[Any]:
    """Whom every list has, without epochs, which a move raises."""
    pages = [await store.questions(to=to) for to in (None, "ana")]
    pages += [await store.select(Selection(user="ana"), newest=newest) for newest in (False, True)]
    pages += [await store.select(Selection(label=("case", "7"))), await store.select(Selection(), newest=True)]
    heads = [*(head for page in pages for head in page.heads), *sorted(await store.heads([ID, "a"]))]
    plain = [head._replace(epoch=0) for head in heads]
    return [plain, await store.count_questions(), await store.tally()]


async def someone_asks(store: Store) -> None:
    await store.create(a_creation("a", user="ana", labels={"case": "7"}, **asking("ana", due=9)))


@on_loop
async def test_every_list_goes_on_finding_who_is_archived() -> None:
    async with a_tiered() as tiered:
        await someone_asks(tiered.store)
        before = await lists_of(tiered.store)
        assert [[head.id for head in before[0]], before[1]] == [["a"] * 5 + [ID, "a"] + ["a", ID], 1]
        assert await tiered.archive()
        assert await tiered.archive("a")
        assert [(await tiered.warm.head(name)).version < 0 for name in (ID, "a")] == [True, True]
        assert await lists_of(tiered.store) == await lists_of(tiered.another()) == before
        await take(tiered.store, "a", asked=None)
        assert await asked_by(tiered.store) == []
        assert await tiered.store.reindex() == 0


@on_loop
async def test_nobody_is_lost_from_a_list_or_listed_twice_while_agents_move(tmp_path: Path) -> None:
    url = f"tiered:sqlite:///{tmp_path}/warm.db,sqlite:///{tmp_path}/cold.db"
    async with open_store(url) as mover, open_store(url) as reader:
        assert isinstance(mover, TieredStore)
        await keep_definitions(mover)
        await a_long_life(mover)
        await someone_asks(mover)
        before = await lists_of(reader)

        moves, is_enough = 0, asyncio.Event()

        async def move() -> None:
            nonlocal moves
            while not is_enough.is_set():
                for agent_id in (ID, "a"):
                    moves += await mover._moves.archive(agent_id)
                    await asyncio.sleep(0)
                    moves += await mover._moves.recall(agent_id)
                    await asyncio.sleep(0)

        moving = asyncio.create_task(move())
        while moves < 40:
            assert await lists_of(reader) == before
        is_enough.set()
        await moving


def test_wherever_a_mover_dies_every_list_is_as_it_was() -> None:
    async def die(write: int) -> bool:
        async with a_tiered() as tiered:
            await someone_asks(tiered.store)
            before = await lists_of(tiered.store)
            tiered.fuse[0] = write
            with suppress(Crash):
                await tiered.archive("a")
                await tiered.store._moves.recall("a")
            has_died, tiered.fuse[0] = tiered.fuse[0] <= 0, 0
            assert await lists_of(tiered.another()) == before
            return has_died

    assert [asyncio.run(die(write)) for write in range(1, 9)] == [True] * 6 + [False] * 2


@on_loop
async def test_the_first_write_brings_an_agent_back() -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        await tiered.store.commit(a_commit(8, epoch=None, delta=Delta({"n": 8})))
        assert [step.version for step in await tiered.warm.history(ID)] == list(range(1, 9))
        assert data_of(await tiered.store.load(ID))["n"] == 8
        assert await tiered.archive(), "and it may be archived again, over its old copy"
        assert data_of(await tiered.store.load(ID))["n"] == 8


@pytest.mark.parametrize("verb", ["claim", "enqueue", "enqueue anywhere", "shorten", "adopt", "commit", "revise"])
@on_loop
async def test_every_write_reaches_who_was_archived(verb: str) -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        store, seen = tiered.store, await tiered.store.head(ID)
        ping = PING._replace(key="other")
        writes: dict[str, Callable[[], Awaitable[Any]]] = {
            "claim": lambda: store.claim(ID, seen, LEASE),
            "enqueue": lambda: store.enqueue(ID, 7, ping),
            "enqueue anywhere": lambda: store.enqueue(ID, None, ping),
            "shorten": lambda: store.shorten(seen, an_origin(3)),
            "adopt": lambda: _adopt_again(store, seen),
            "commit": lambda: store.commit(a_commit(8, epoch=None)),
            "revise": lambda: store.revise(OWN, [HELLO._replace(number=1)]),
        }
        await writes[verb]()
        assert (await tiered.warm.head(ID)).version in (7, 8)


async def _adopt_again(store: TieredStore, seen: Head) -> None:
    await store.adopt(await store.dump(ID), replaces=seen)


@on_loop
async def test_what_was_made_for_who_is_archived_now_is_refused() -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        with pytest.raises(Conflict):
            await tiered.store.commit(a_commit(8, epoch=1))
        with pytest.raises(Conflict):
            await tiered.store.commit(a_commit(7, epoch=None))
        with pytest.raises(Conflict):
            await tiered.store.commit(a_commit(8, epoch=None, key="key-3"))
        with pytest.raises(AgentExists):
            await tiered.store.create(a_creation())
        with pytest.raises(AgentExists):
            await tiered.store.create(a_creation("other")._replace(key="start"))


@on_loop
async def test_nobody_is_archived_with_whom_somebody_has_work() -> None:
    async with a_tiered() as tiered:
        await tiered.store.claim(ID, await tiered.store.head(ID), LEASE)
        assert not await tiered.archive(), "somebody drives it"
        await tiered.store.release(ID, 2)
        await tiered.store.enqueue(ID, 7, PING._replace(key=None))
        assert not await tiered.archive(), "an event is to be decided"
        assert not await tiered.archive("unknown")


@on_loop
async def test_who_has_an_open_effect_stays_in_warm_where_its_result_may_still_be_recorded() -> None:
    """The process that began the effect lost the agent, and tells the result while another process archives it."""
    tiered = Tiered()
    await keep_definitions(tiered.store)
    await a_long_life(tiered.store)
    await tiered.store.commit(a_commit(7, dequeue=1, head={"status": Status.DONE}))
    copy = tiered.cold.adopt

    async def overtaken(export: AgentExport, *, replaces: Head | None = None) -> None:
        await copy(export, replaces=replaces)
        assert await tiered.store.end_effect(ID, ENDED)

    tiered.cold.adopt = overtaken  # type: ignore[method-assign]
    assert not await tiered.archive(), "an effect is open"
    tiered.cold.adopt = copy  # type: ignore[method-assign]
    assert await tiered.store.end_effect(ID, ENDED)
    assert await tiered.archive(), "nothing is open any more"
    assert [each.result for each in await tiered.store.effects(ID)] == ["done", [1]]


@on_loop
async def test_a_deleted_agent_is_gone_from_every_tier() -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        seen = await tiered.store.head(ID)
        with pytest.raises(Conflict):
            await tiered.store.delete(seen._replace(epoch=1))
        await tiered.store.delete(seen)
        for tier in (tiered.warm, tiered.cold, tiered.store):
            with pytest.raises(AgentNotFound):
                await tier.head(ID)
        await tiered.store.create(a_creation()._replace(key="start"))
        assert data_of(await tiered.store.load(ID)) == {}


async def _revise(tiered: Tiered) -> None:
    await tiered.store.revise(OWN, [HELLO._replace(content="", number=1)])


async def _erase(tiered: Tiered) -> None:
    seen = await tiered.store.head(ID)
    export = await tiered.store.dump(ID)
    await tiered.store.adopt(export._replace(head=seen._replace(epoch=seen.epoch + 1)), replaces=seen)


async def _shorten(tiered: Tiered) -> None:
    record = await tiered.store.load(ID)
    await tiered.store.shorten(record.head, Origin(record.head, data_of(record)))


@pytest.mark.parametrize("change", [_revise, _erase, _shorten])
@on_loop
async def test_what_was_erased_does_not_stay_in_cold(change: Callable[[Tiered], Awaitable[None]]) -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        await tiered.store.commit(a_commit(8, epoch=None))
        assert (await tiered.cold.head(ID)).version == 7, "a copy that nobody means"
        await change(tiered)
        with pytest.raises(AgentNotFound):
            await tiered.cold.head(ID)
        assert data_of(await tiered.store.load(ID))["n"] == 6


@on_loop
async def test_who_is_deleted_while_a_mover_replaces_the_copy_is_gone_from_every_tier() -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        await tiered.store.commit(a_commit(8, epoch=None))
        later = await tiered.warm.dump(ID)
        delete = tiered.cold.delete

        async def overtaken(seen: Head) -> None:
            tiered.cold.delete = delete  # type: ignore[method-assign]
            await tiered.cold.adopt(later._replace(start=None), replaces=seen)
            await delete(seen)

        tiered.cold.delete = overtaken  # type: ignore[method-assign]
        await tiered.store.delete(await tiered.store.head(ID))
        with pytest.raises(AgentNotFound):
            await tiered.cold.head(ID)


@on_loop
async def test_a_mover_that_copies_who_is_deleted_meanwhile_leaves_nothing() -> None:
    async with a_tiered() as tiered:
        adopt = tiered.cold.adopt

        async def oversleep(export: AgentExport, *, replaces: Head | None = None) -> None:
            await tiered.another().delete(await tiered.store.head(ID))
            await adopt(export, replaces=replaces)

        tiered.cold.adopt = oversleep  # type: ignore[method-assign]
        assert not await tiered.archive()
        for tier in (tiered.warm, tiered.cold):
            with pytest.raises(AgentNotFound):
                await tier.head(ID)


@pytest.mark.parametrize("is_archived_again", [False, True])
@on_loop
async def test_who_reads_a_copy_that_is_dropped_meanwhile_reads_the_agent(*, is_archived_again: bool) -> None:
    """Another process brings the agent back, erases something, and perhaps archives it again."""
    async with a_tiered() as tiered:
        await tiered.archive()
        history = tiered.cold.history

        async def overtaken(agent_id: str, *, after: int = 0, limit: int | None = None) -> Any:
            tiered.cold.history = history  # type: ignore[method-assign]
            await tiered.store.commit(a_commit(8, epoch=None))
            await _erase(tiered)
            seen = None if is_archived_again else await history(agent_id, after=after, limit=limit)
            await tiered.archive() if is_archived_again else None
            return seen

        tiered.cold.history = overtaken  # type: ignore[method-assign]
        assert len(await tiered.another().history(ID)) == 8


@on_loop
async def test_a_copy_that_is_missing_in_cold_is_said_and_nothing_changes() -> None:
    async with a_tiered() as tiered:
        await tiered.archive()
        await tiered.cold.delete(await tiered.cold.head(ID))
        calls = [
            lambda: tiered.store.load(ID),
            lambda: tiered.store.history(ID),
            lambda: tiered.store.commit(a_commit(8, epoch=None)),
        ]
        for call in calls:
            with pytest.raises(StoreCorrupt, match="is archived, and memory:// does not keep it"):
                await call()
        assert (await tiered.warm.head(ID)).version == -7


def test_a_mover_may_die_at_every_write_and_nothing_is_lost() -> None:
    died = sum(asyncio.run(_move_and_die(place)) for place in range(1, 20))
    assert died == 6, "the copy in cold, the stub in warm, the way back: before and after each"


async def _move_and_die(place: int) -> bool:
    async with a_tiered() as tiered:
        before = await everything(tiered.store)
        tiered.fuse[0] = place
        try:
            await tiered.archive()
            await tiered.store.claim(ID, await tiered.store.head(ID), LEASE)
            await tiered.store.release(ID, 3)
        except Crash:
            died = True
        else:
            died = False
        tiered.fuse[0] = 0
        tiered.store = tiered.another()
        assert await everything(tiered.store) == before
        await tiered.archive()
        assert await everything(tiered.store) == before
        await tiered.store.commit(a_commit(8, epoch=None))
        assert (await tiered.store.head(ID)).version == 8
        return died


@on_loop
async def test_a_mover_that_oversleeps_changes_nothing() -> None:
    """It has read the agent, and goes on when others have archived it, brought it back, and moved it on."""
    async with a_tiered() as tiered:
        stale = await tiered.warm.dump(ID)
        stale_copy = stale._replace(start=None)
        await tiered.archive()
        stub = await tiered.warm.dump(ID)
        old = await tiered.store._moves.whole(stub)
        assert old is not None
        await tiered.store.commit(a_commit(8, epoch=None, delta=Delta({"n": 8})))
        await tiered.archive()
        with pytest.raises(AgentExists):
            await tiered.cold.adopt(stale_copy)
        for late in (old, stale):
            for seen in (stub.head, stale.head):
                with pytest.raises(Conflict):
                    await tiered.warm.adopt(late, replaces=seen)
        assert data_of(await tiered.store.load(ID))["n"] == 8


@on_loop
async def test_a_mover_that_oversleeps_replaces_no_later_copy() -> None:
    """It has read the agent, and copies it when others have archived it, brought it back, and archived it again."""
    async with a_tiered() as tiered:
        dump = tiered.warm.dump

        async def oversleep(agent_id: str) -> AgentExport:
            export = await dump(agent_id)
            tiered.warm.dump = dump  # type: ignore[method-assign]
            await tiered.archive()
            await tiered.store.commit(a_commit(8, epoch=None, delta=Delta({"n": 8})))
            await tiered.archive()
            return export

        tiered.warm.dump = oversleep  # type: ignore[method-assign]
        assert not await tiered.another()._moves.archive(ID)
        assert data_of(await tiered.store.load(ID))["n"] == 8


@on_loop
async def test_a_mover_that_has_copied_a_message_before_it_was_revised_changes_nothing() -> None:
    async with a_tiered() as tiered:
        stale = await tiered.warm.dump(ID)
        assert await tiered.store.revise(OWN, [HELLO._replace(content="", number=2)]) == 1
        with pytest.raises(Conflict):
            await tiered.warm.adopt(stub_of(stale), replaces=stale.head)
        assert (await tiered.store.head(ID)).lease is None
        assert await tiered.archive()
        assert [message.content for message in await tiered.store.messages(OWN)] == ["hello", ""]


@on_loop
async def test_of_an_agent_that_is_not_there_nothing_is_said_and_nothing_revised() -> None:
    async with a_tiered() as tiered:
        assert list(await tiered.store.messages("@nobody")) == []
        assert await tiered.store.revise("@nobody", [HELLO._replace(number=1)]) == 0


@on_loop
async def test_a_lease_is_not_broken_by_who_revises_a_message() -> None:
    async with a_tiered() as tiered:
        epoch = await tiered.store.claim(ID, await tiered.store.head(ID), LEASE)
        assert await tiered.store.revise(OWN, [HELLO._replace(number=1)]) == 1
        assert await tiered.store.renew(ID, epoch, LEASE)


class Overtaking(MemoryStore):
    """Another process puts a later copy in the place of each that is looked at for the first time."""

    has_overtaken = False

    async def dump(self, agent_id: str) -> AgentExport:
        export = await super().dump(agent_id)
        if not self.has_overtaken:
            self.has_overtaken = True
            later = export._replace(head=export.head._replace(epoch=export.head.epoch + 1))
            await self.adopt(later, replaces=export.head)
        return await super().dump(agent_id)


class Forgetful(MemoryStore):
    """Keeps copies without their keys."""

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        await super().adopt(export._replace(keys={}), replaces=replaces)


@on_loop
async def test_of_two_that_archive_one_agent_the_late_one_lets_go() -> None:
    async with a_tiered() as tiered:
        tiered.store = TieredStore(Tiers(tiered.warm, Overtaking(clock=tiered.clock)))
        assert not await tiered.archive()
        assert (await tiered.warm.head(ID)).version == 7
        assert await tiered.archive()


@on_loop
async def test_a_copy_that_is_not_what_was_given_is_said_and_the_agent_stays_in_warm() -> None:
    async with a_tiered() as tiered:
        tiered.store = TieredStore(Tiers(tiered.warm, Forgetful(clock=tiered.clock)))
        with pytest.raises(StoreCorrupt, match="does not keep agent 'agent-1' as it was given; it stays in warm"):
            await tiered.archive()
        assert (await tiered.warm.head(ID)).version == 7


@on_loop
async def test_a_leftover_copy_in_cold_is_never_read() -> None:
    async with a_tiered() as tiered:
        await tiered.cold.save_workflow("x", {"workflow": "x", "version": 1})
        leftover = await tiered.warm.dump(ID)
        await tiered.store.save_workflow(
            leftover.head.definition, await tiered.store.load_workflow(leftover.head.definition)
        )
        await keep_definitions(tiered.cold)
        await tiered.cold.adopt(leftover._replace(start=None))
        await tiered.store.commit(a_commit(8, epoch=None, delta=Delta({"n": 8})))
        assert data_of(await tiered.store.load(ID))["n"] == 8
        await tiered.archive()
        assert data_of(await tiered.store.load(ID))["n"] == 8


@on_loop
async def test_many_processes_move_one_agent_and_every_step_is_taken_once() -> None:
    async with a_tiered() as tiered:
        taken: list[int] = []

        async def write(store: TieredStore) -> None:
            while (version := (await store.head(ID)).version) < 60:
                try:
                    await store.commit(a_commit(version + 1, epoch=None, delta=Delta(append={"log": [version + 1]})))
                    taken.append(version + 1)
                except Conflict:
                    continue
                finally:
                    await asyncio.sleep(0)

        async def move(store: TieredStore) -> None:
            while (await store.head(ID)).version < 60:
                await store._moves.archive(ID)
                record = await store.load(ID)
                assert record.head.version == record.tail[-1].version
                await asyncio.sleep(0)

        stores = [tiered.another() for _ in range(6)]
        await asyncio.gather(*(write(store) for store in stores[:3]), *(move(store) for store in stores[3:]))
        assert sorted(taken) == list(range(8, 61))
        assert data_of(await tiered.store.load(ID))["log"] == [1, 2, 3, 4, 5, 6, *range(8, 61)]


@on_loop
async def test_who_has_ended_or_rests_is_archived_in_time_and_others_are_not() -> None:
    tiered = Tiered()
    await keep_definitions(tiered.store)
    for name, head in {
        "ended": {"status": Status.DONE},
        "waiting": {"status": Status.WAITING},
        "parked": {"status": Status.PARKED},
        "running": {"status": Status.RUNNING},
    }.items():
        await tiered.store.create(a_creation(name, **head))
    assert await tiered.store.tend() == 0
    tiered.clock.advance(minutes=2)
    assert (await tiered.store.tend(), await _away(tiered)) == (1, {"ended"})
    assert (await tiered.store.tend(), await _away(tiered)) == (0, {"ended"})
    tiered.clock.advance(hours=1)
    assert (await tiered.another().tend(), await _away(tiered)) == (1, {"ended", "waiting"})


@on_loop
async def test_everybody_is_archived_in_the_end_whoever_moved_them() -> None:
    tiered = Tiered()
    await keep_definitions(tiered.store)
    for number in range(250):
        await tiered.store.create(a_creation(f"a{number:03}", status=Status.DONE))
    tiered.clock.advance(minutes=2)
    other = tiered.another()
    assert [await other.tend() for _ in range(4)] == [100, 100, 50, 0]
    assert len(await _away(tiered)) == 250


async def _away(tiered: Tiered) -> set[str]:
    return {head.id for head in (await tiered.warm.list(limit=999)).heads if head.version < 0}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tiered:", "names 0: write tiered:WARM,COLD"),
        ("tiered:memory://", "names 1: write tiered:WARM,COLD"),
        ("tiered:memory://,memory://", "names 2: write tiered:WARM,COLD"),
        ("tiered:memory://,sqlite:///c.db,sqlite:///d.db", "names 3: write tiered:WARM,COLD"),
        ("tiered:memory://,sqlite:///c.db,idle=soon", "option 'idle' of a tiered store: 'soon' is not a duration"),
        ("tiered:memory://,sqlite:///c.db,hot=few", "option 'hot' of a tiered store: invalid literal"),
        (
            "tiered:memory://,sqlite:///c.db,idel=1h",
            "has no option 'idel' (did you mean `idle`?); known: idle, ended, hot",
        ),
        ("tiered:memory://,mongo://x", "store URL 'mongo://x' has no known scheme"),
        ("tierd:memory://,sqlite:///c.db", "has no known scheme"),
    ],
)
def test_a_wrong_url_is_refused_and_makes_no_file(
    url: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUrlInvalid) as refusal:
        open_store(url)
    assert says in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


MOVES = st.lists(st.sampled_from(["archive", "step", "load", "claim", "shorten", "queue", "other"]), max_size=25)


@given(MOVES)
def test_an_agent_lives_the_same_life_in_tiers_as_in_one_store(moves: list[str]) -> None:
    asyncio.run(_live(moves))


async def _live(moves: list[str]) -> None:
    tiered, plain = Tiered(), MemoryStore(clock=FakeClock())
    stores: list[Any] = [tiered.store, plain]
    for store in stores:
        await keep_definitions(store)
        await a_settled_life(store)
    for number, move in enumerate(moves):
        match move:
            case "archive":
                await tiered.archive()
            case "other":
                stores[0] = tiered.store = tiered.another()
            case _:
                for store in stores:
                    await _do(store, move, number)
        told = [await store.load(ID) for store in stores]
        assert told[0].head._replace(epoch=0) == told[1].head._replace(epoch=0)
        assert data_of(told[0]) == data_of(told[1])
        assert (told[0].queue, told[0].snapshot) == (told[1].queue, told[1].snapshot)
        assert list(await stores[0].history(ID)) == list(await plain.history(ID))


async def _do(store: Any, move: str, number: int) -> None:
    head = await store.head(ID)
    match move:
        case "step":
            dequeue = (await store.load(ID)).queue[0].number if head.queued else None
            await store.commit(
                a_commit(head.version + 1, epoch=None, dequeue=dequeue, delta=Delta(append={"log": [number]}))
            )
        case "load":
            await store.load(ID, key="key-2")
        case "claim":
            await store.release(ID, await store.claim(ID, head, LEASE))
        case "queue":
            await store.enqueue(ID, None, PING._replace(key=f"queued-{number}"))
        case "shorten":
            record = await store.load(ID)
            await store.shorten(head, Origin(head, data_of(record)))


@on_loop
async def test_agents_move_between_servers_as_in_one_process(redis_url: str, postgres_url: str) -> None:
    async with open_store(f"tiered:{redis_url},{postgres_url}", clock=FakeClock()) as store:
        assert isinstance(store, TieredStore)
        await keep_definitions(store)
        await a_settled_life(store)
        await store.commit(a_commit(7, dequeue=1, head={"status": Status.DONE}))
        before, size = await everything(store), await store.size(ID)
        assert await store._moves.archive(ID)
        after, archived = await everything(store), await store.size(ID)
        assert [each for each in after if each != archived] == [each for each in before if each != size]
        await store.commit(a_commit(8, epoch=None, delta=Delta({"n": 8})))
        assert data_of(await store.load(ID))["n"] == 8
        assert await store._moves.archive(ID)
        await store.delete(await store.head(ID))
        with pytest.raises(AgentNotFound):
            await store.load(ID)
