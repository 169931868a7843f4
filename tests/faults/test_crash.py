"""Wherever a process dies between two effects, the next one ends where it would have ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fsm_agent import Runner, open_store
from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.domain.step import Step
from fsm_agent.stores.base import Store
from fsm_agent.testing.clock import FakeClock

from . import parcel
from .crashing import Crash, Fuse, Mortal

#: where it can happen before anybody has died
EFFECTS = {"Creation", "Commit", "Act", "Enqueue", "RecordAttempt", "Sleep", "Claim", "Load", "Now", "FindKey"}


class Ending(NamedTuple):
    """What must be the same, crash or no crash."""

    state: str
    status: Status
    data: dict[str, Any]
    output: Any
    #: how often each kind of step was committed for each event, and from where to where
    steps: Counter[tuple[str, str, str | None, str]]


class Life:
    """The stages of a parcel's agent, each repeated by a new process until none dies."""

    def __init__(self, url: str, blows: Callable[[int], bool], *, finds_dead: bool) -> None:
        self.fuse = Fuse(blows)
        self._url, self._finds_dead = url, finds_dead
        self._clock = FakeClock()
        self._store = self._open()

    def _open(self) -> Store:
        return open_store(self._url, clock=self._clock)

    def _process(self) -> Mortal:
        """One that knows that those before it are dead, and a passer-by in it, who knows that it lives."""
        process = Mortal(self._store, self._clock, self.fuse, finds_dead=self._finds_dead)
        process.actions.add(parcel.actions(Mortal(self._store, self._clock, self.fuse, finds_dead=False)))
        return process

    async def aggregate(self) -> Ending:
        process = self._process()
        for stage in parcel.STAGES:
            while not await self._survives(process, stage):
                process = await self._replaced()
        async with Runner(self._store) as onlooker:
            return await self._ending(onlooker)

    async def _survives(self, process: Mortal, stage: parcel.Stage) -> bool:
        try:
            await stage(process, self._clock)
            await process.resume(parcel.ID)
        except Crash:
            return False
        return True

    async def _replaced(self) -> Mortal:
        """Memory outlives the process only in a test; a file does so by itself."""
        if not self._url.startswith("memory"):
            await self._store.close()
            self._store = self._open()
        if not self._finds_dead:
            self._clock.ms += LEASE_MS + 1
        return self._process()

    async def _ending(self, onlooker: Runner) -> Ending:
        agent, history = await onlooker.get(parcel.ID), await onlooker.history(parcel.ID)
        assert [step.version for step in history] == list(range(1, agent.version + 1))
        assert fold(None, history).values == agent.data
        assert (await self._store.head(parcel.ID)).lease is None
        await self._keys_are_used_up(onlooker)
        return Ending(agent.state, agent.status, dict(agent.data), agent.output, Counter(map(_told, history)))

    async def _keys_are_used_up(self, onlooker: Runner) -> None:
        for event, payload, key in parcel.KEYED:
            assert (await onlooker.send(parcel.ID, event, payload, key=key)).delivery == "duplicate"


def _told(step: Step) -> tuple[str, str, str | None, str]:
    """A note may be decided before or after the step of the action that it met."""
    moved = (step.source, step.target) if step.source != step.target else (None, "")
    return str(step.kind), step.event, *moved


def end(url: str, blows: Callable[[int], bool], *, finds_dead: bool = True) -> tuple[Ending, Fuse]:
    life = Life(url, blows, finds_dead=finds_dead)
    return asyncio.run(life.aggregate()), life.fuse


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[[], str]:
    """The URL of a file that is not there yet."""
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Ending, int]:
    """How it ends when nothing happens, and at how many places something could have."""
    ending, fuse = end("memory://", lambda place: False)
    return ending, fuse.places


def test_undisturbed_the_scenario_meets_all_that_a_crash_could_spoil(undisturbed: tuple[Ending, int]) -> None:
    ending, places = undisturbed
    assert (ending.state, ending.data["reminders"], ending.data["paid"]) == ("done", 1, 2)
    assert sorted(ending.data["notes"]) == ["handle with care", "while packing"]
    assert {kind for kind, *_ in ending.steps} == {"created", "event", "parked", "unparked"}
    assert places > 80


@pytest.mark.parametrize("finds_dead", [True, False], ids=["the holder is dead", "its lease has run out"])
def test_a_crash_at_any_place_changes_nothing_in_the_end(undisturbed: tuple[Ending, int], finds_dead: bool) -> None:
    blown = _crash_at_each(range(1, undisturbed[1] + 1), lambda: "memory://", undisturbed[0], finds_dead=finds_dead)
    assert blown >= EFFECTS


@pytest.mark.parametrize("first", [1, 2], ids=["before each effect", "after each effect"])
def test_nor_does_it_on_disk(undisturbed: tuple[Ending, int], new_file: Callable[[], str], first: int) -> None:
    blown = _crash_at_each(range(first, undisturbed[1] + 1, 2), new_file, undisturbed[0], finds_dead=True)
    assert blown >= EFFECTS


def _crash_at_each(places: range, new_url: Callable[[], str], expected: Ending, *, finds_dead: bool) -> set[str]:
    blown: set[str] = set()
    for place in places:
        ending, fuse = end(new_url(), place.__eq__, finds_dead=finds_dead)
        assert ending == expected, f"after a crash at place {place}, {fuse.blown}"
        blown.update(fuse.blown)
    return blown


@pytest.mark.parametrize("every", [24, 25, 27, 29])
def test_processes_that_die_again_and_again_get_there_too(
    undisturbed: tuple[Ending, int], new_file: Callable[[], str], every: int
) -> None:
    for url in ("memory://", new_file()):
        ending, fuse = end(url, lambda place: place % every == 0)
        assert ending == undisturbed[0]
        assert len(fuse.blown) > 2
