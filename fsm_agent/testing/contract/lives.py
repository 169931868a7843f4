"""Agents live at random; whatever has happened, an index finds those that a look at every agent would find."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from itertools import product
from typing import Any, Final

import pytest

from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AgentExport, Commit, Origin
from fsm_agent.domain.selection import ANYBODY, QuestionPlace, Selection
from fsm_agent.domain.step import Event
from fsm_agent.errors import Refused
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores import pages
from fsm_agent.stores.base import Store
from fsm_agent.stores.leases import Leases
from fsm_agent.testing.contract.fixtures import (
    LEASE,
    ORDER,
    REFUND,
    Bench,
    a_creation,
    a_step,
    in_loop,
    keep_definitions,
)

_IDS: Final = ("a", "a.1", "B", "b", "c-2", "d")
_NAMES: Final = ("ana", "bob", "Zoë")
_ACTS: Final = 60
_SEEDS: Final = 5
_CROWD: Final = 30
#: acts between two comparisons
_BETWEEN: Final = 20


class RandomLives:
    """Does at random what processes and operators do to the agents of a store."""

    def __init__(self, store: Store, rng: random.Random) -> None:
        self._store, self._rng = store, rng
        #: those that were deleted, or copied some time ago
        self._exports: list[AgentExport] = []

    async def act(self) -> None:
        """One thing, which the store may refuse."""
        acts: dict[Callable[[str], Awaitable[object]], int] = {
            self._create: 4,
            self._step: 12,
            self._migrate: 2,
            self._delete: 2,
            self._adopt: 3,
            self._replace: 2,
            self._hold: 2,
            self._enqueue: 1,
            self._attempt: 1,
            self._shorten: 1,
        }
        [act] = self._rng.choices([*acts], [*acts.values()])
        try:
            await act(self._rng.choice(_IDS))
        except Refused:
            return

    def _moved(self) -> dict[str, Any]:
        """What a step may change in a head."""
        pick, some = self._rng.choice, self._rng.sample
        timers = [ArmedTimer("open", "1h", NEW_YEAR_MS + due) for due in some(range(4_000), self._rng.randrange(3))]
        to = tuple(some(_NAMES, self._rng.randrange(3)))
        events = pick([(), ("yes", "no")])
        return {
            "state": pick(["open", "closed"]),
            "status": pick([*Status, *[Status.WAITING] * 5]),
            "timers": tuple(timers),
            "asked": pick([None, Asked("?", to, events, 1), Asked("?", to, events, 1)]),
            "updated_ms": NEW_YEAR_MS + self._rng.randrange(4_000),
        }

    def _lease(self) -> Lease:
        return LEASE._replace(until_ms=LEASE.until_ms + self._rng.randrange(4_000))

    async def _create(self, agent_id: str) -> None:
        pick = self._rng.choice
        lasting: dict[str, Any] = {
            "user": pick([None, *_NAMES]),
            "labels": {name: pick(["1", "2", ""]) for name in self._rng.sample(["case", "team"], pick([0, 1, 2]))},
            "created_ms": NEW_YEAR_MS + self._rng.randrange(4),
            "workflow": pick([ORDER, REFUND]),
        }
        await self._store.create(a_creation(agent_id, lease=pick([None, self._lease()]), **lasting, **self._moved()))

    async def create_at_work(self, agent_id: str) -> None:
        """One that needs somebody: at once, later, or when its lease has run out."""
        pick = self._rng.choice
        head = {**self._moved(), "status": pick([Status.RUNNING, Status.WAITING]), "workflow": pick([ORDER, REFUND])}
        await self._store.create(a_creation(agent_id, lease=pick([None, None, self._lease()]), **head))

    async def _step(self, agent_id: str, **more: Any) -> None:
        """Make a step as whoever holds the agent, or from outside; now and then on a version that is not the last."""
        head = await self._store.head(agent_id)
        version = head.version + self._rng.choice([1, 1, 1, 1, 2])
        after = head._replace(version=version, **self._moved(), **more)
        epoch = self._rng.choice([None, head.epoch, head.epoch, head.epoch + 1])
        lease = self._rng.choice([None, head.lease, self._lease()])
        await self._store.commit(Commit(after, a_step(version), epoch, lease=lease, repins=bool(more)))

    async def _migrate(self, agent_id: str) -> None:
        to = self._rng.choice([ORDER, REFUND])
        await self._step(agent_id, workflow=to.name, workflow_version=to.version, definition=to.hash)

    async def _delete(self, agent_id: str) -> None:
        self._exports.append(await self._store.dump(agent_id))
        await self._store.delete(self._exports[-1].head)

    async def _adopt(self, agent_id: str) -> None:
        if self._exports:
            export = self._rng.choice(self._exports)
            await self._store.adopt(export._replace(head=export.head._replace(id=agent_id), start=None))

    async def _replace(self, agent_id: str) -> None:
        """What an erasure does, and a store that brings an agent back."""
        export = await self._store.dump(agent_id)
        changed = {**self._moved(), "user": self._rng.choice([None, *_NAMES]), "labels": {"case": "2"}}
        await self._store.adopt(export._replace(head=export.head._replace(**changed)), replaces=export.head)

    async def _hold(self, agent_id: str) -> None:
        epoch = await self._store.claim(agent_id, await self._store.head(agent_id), self._lease())
        if self._rng.random() < 0.5:
            await self._store.release(agent_id, epoch)

    async def _enqueue(self, agent_id: str) -> None:
        await self._store.enqueue(agent_id, None, Event("ping"))

    async def _attempt(self, agent_id: str) -> None:
        epoch = (await self._store.head(agent_id)).epoch
        await self._store.record_attempt(agent_id, epoch, attempts=1, retry_ms=NEW_YEAR_MS + 2)

    async def _shorten(self, agent_id: str) -> None:
        head = await self._store.head(agent_id)
        await self._store.shorten(head, Origin(head, {}))


_SELECTIONS: Final = (
    Selection(),
    Selection((Status.WAITING,)),
    Selection((Status.DONE, Status.RUNNING, Status.PARKED)),
    Selection(workflow="order"),
    Selection((Status.WAITING, Status.CANCELLED), "refund", "open"),
    Selection(state="closed"),
    *(Selection(user=name) for name in _NAMES),
    Selection((Status.WAITING,), user="ana"),
    Selection(label=("case", "1")),
    Selection(label=("case", "")),
    Selection(label=("team", None)),
    Selection((Status.WAITING,), "order", "open", "ana", ("case", None)),
)


async def compare(store: Store) -> None:
    """Every verb tells what its default tells, which looks at every agent."""
    everybody = [*_IDS, "nobody"]
    found, known = await store.heads(everybody), await pages.heads(store, everybody)
    assert sorted(found) == sorted(known)
    assert [*await store.tally()] == [*await pages.tally(store)]
    for selection, newest in product(_SELECTIONS, (False, True)):
        await _compare_selected(store, selection, newest=newest)
    for to, workflow in product((None, ANYBODY, *_NAMES), (None, "order")):
        await _compare_asked(store, to, workflow)


async def _compare_selected(store: Store, selection: Selection, *, newest: bool) -> None:
    after, is_more = None, True
    while is_more:
        found = await store.select(selection, newest=newest, limit=2, after=after)
        assert found == await pages.select(store, selection, newest=newest, limit=2, after=after)
        after, is_more = found.next, found.next is not None


async def _compare_asked(store: Store, to: str | None, workflow: str | None) -> None:
    counted = await store.count_questions(to=to, workflow=workflow)
    assert counted == await pages.count_questions(store, to=to, workflow=workflow)
    after: QuestionPlace | None = None
    is_more = True
    while is_more:
        found = await store.questions(to=to, workflow=workflow, limit=2, after=after)
        assert found == await pages.questions(store, to=to, workflow=workflow, limit=2, after=after)
        after, is_more = found.next, found.next is not None


#: What a worker asks for at each of these times, of whom some become due only by then.
_TAKES: Final[tuple[tuple[int, Mapping[str, Any]], ...]] = (
    (NEW_YEAR_MS + 2_000, {"workflows": ["order"]}),
    (NEW_YEAR_MS + 2_000, {}),
    (NEW_YEAR_MS + 5_000, {"without": [(ORDER.hash, "open"), (REFUND.hash, "closed")]}),
    (LEASE.until_ms + 2_000, {"workflows": ["refund", "order"], "without": [(ORDER.hash, "closed")]}),
    (LEASE.until_ms + 9_000, {}),
    (LEASE.until_ms + 9_000, {}),
)


class LivesContract(Bench):
    @pytest.mark.parametrize("seed", range(_SEEDS))
    @in_loop
    async def test_whatever_has_happened_a_take_claims_whom_one_after_another_would_be_claimed(
        self, store: Store, open_again: Callable[..., Store], clock: FakeClock, seed: int
    ) -> None:
        other = open_again("other")
        await keep_definitions(other)
        for each in (store, other):
            lives = RandomLives(each, random.Random(seed))  # noqa: S311 - chance is no secret
            for _ in range(_ACTS):
                await lives.act()
            for number in range(_CROWD):
                await lives.create_at_work(f"at-work-{number}")
        for clock.ms, wanted in _TAKES:
            lease = LEASE._replace(until_ms=clock.ms + 60_000)
            taken, claimed = await store.take(3, lease, **wanted), await Leases.take(other, 3, lease, **wanted)
            assert sorted(taken) == sorted(claimed)
            assert sorted((await store.list(limit=99)).heads) == sorted((await other.list(limit=99)).heads)

    @pytest.mark.parametrize("seed", range(_SEEDS))
    @in_loop
    async def test_whatever_has_happened_an_index_finds_what_a_look_at_every_agent_would(
        self, store: Store, open_again: Callable[..., Store], seed: int
    ) -> None:
        other = open_again("other")
        await keep_definitions(other)
        rng = random.Random(seed)  # noqa: S311 - chance is no secret
        lives = [RandomLives(each, rng) for each in (store, other)]
        for number in range(_ACTS):
            await lives[number % 3 == 2].act()
            if number % _BETWEEN == _BETWEEN - 1:
                await compare(store)
                await compare(other)
        before: list[Head] = sorted((await store.list(limit=99)).heads)
        assert [damage for damage in await store.inspect() if damage.is_index] == []
        assert await store.reindex() == 0
        assert sorted((await store.list(limit=99)).heads) == before
