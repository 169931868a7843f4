"""Wherever a process dies between two commands, the next process reaches the same end."""

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
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store

from . import parcel
from .crash_points import Crash, CrashingRunner, CrashPoints

#: the commands at which the first crash can happen
EFFECTS = {"Creation", "Commit", "Act", "Enqueue", "RecordAttempt", "Sleep", "Claim", "Load", "Now", "FindKey"}


class Ending(NamedTuple):
    """What must be the same with and without crashes."""

    state: str
    status: Status
    data: dict[str, Any]
    output: Any
    #: how often each kind of step was committed for each event, and from where to where
    steps: Counter[tuple[str, str, str | None, str]]


class ProcessSeries:
    """Processes drive an agent through its stages; after a crash the next process repeats the stage."""

    def __init__(self, url: str, crashes_at: Callable[[int], bool], *, finds_dead: bool) -> None:
        self.crash_points = CrashPoints(crashes_at)
        self._url, self._finds_dead = url, finds_dead
        self._clock = FakeClock()
        self._store = self._open()

    def _open(self) -> Store:
        return open_store(self._url, clock=self._clock)

    def _process(self) -> CrashingRunner:
        """One that knows that those before it are dead, and a passer-by in it, who knows that it lives."""
        process = CrashingRunner(self._store, self._clock, self.crash_points, finds_dead=self._finds_dead)
        process.actions.add(
            parcel.actions(CrashingRunner(self._store, self._clock, self.crash_points, finds_dead=False))
        )
        return process

    async def run(self) -> Ending:
        process = self._process()
        for stage in parcel.STAGES:
            while not await self._survives(process, stage):
                process = await self._replaced()
        async with Runner(self._store) as observer:
            return await self._ending(observer)

    async def _survives(self, process: CrashingRunner, stage: parcel.Stage) -> bool:
        try:
            await stage(process, self._clock)
            await process.resume(parcel.ID)
        except Crash:
            return False
        return True

    async def _replaced(self) -> CrashingRunner:
        """The next process. A memory store outlives the process only in this test; a file is opened again."""
        if not self._url.startswith("memory"):
            await self._store.close()
            self._store = self._open()
        if not self._finds_dead:
            self._clock.ms += LEASE_MS + 1
        return self._process()

    async def _ending(self, observer: Runner) -> Ending:
        agent, history = await observer.get(parcel.ID), await observer.history(parcel.ID)
        assert [step.version for step in history] == list(range(1, agent.version + 1))
        assert fold(None, history).values == agent.data
        assert (await self._store.head(parcel.ID)).lease is None
        await self._keys_are_used_up(observer)
        return Ending(agent.state, agent.status, dict(agent.data), agent.output, Counter(map(_told, history)))

    async def _keys_are_used_up(self, observer: Runner) -> None:
        for event, payload, key in parcel.KEYED:
            assert (await observer.send(parcel.ID, event, payload, key=key)).delivery == "duplicate"


def _told(step: Step) -> tuple[str, str, str | None, str]:
    """A note may be decided before or after the step of the action that it met."""
    moved = (step.source, step.target) if step.source != step.target else (None, "")
    return str(step.kind), step.event, *moved


def end(url: str, crashes_at: Callable[[int], bool], *, finds_dead: bool = True) -> tuple[Ending, CrashPoints]:
    series = ProcessSeries(url, crashes_at, finds_dead=finds_dead)
    return asyncio.run(series.run()), series.crash_points


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[[], str]:
    """The URL of a file that is not there yet."""
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Ending, int]:
    """The end without a crash, and the number of crash points."""
    ending, crash_points = end("memory://", lambda point: False)
    return ending, crash_points.points


def test_undisturbed_the_scenario_meets_all_that_a_crash_could_spoil(undisturbed: tuple[Ending, int]) -> None:
    ending, points = undisturbed
    assert (ending.state, ending.data["reminders"], ending.data["paid"]) == ("done", 1, 2)
    assert sorted(ending.data["notes"]) == ["handle with care", "while packing"]
    assert {kind for kind, *_ in ending.steps} == {"created", "event", "parked", "unparked"}
    assert points > 80


@pytest.mark.parametrize("finds_dead", [True, False], ids=["the holder is dead", "its lease has run out"])
def test_a_crash_at_any_place_changes_nothing_in_the_end(undisturbed: tuple[Ending, int], finds_dead: bool) -> None:
    crashed = _crash_at_each(range(1, undisturbed[1] + 1), lambda: "memory://", undisturbed[0], finds_dead=finds_dead)
    assert crashed >= EFFECTS


@pytest.mark.parametrize("first", [1, 2], ids=["before each effect", "after each effect"])
def test_nor_does_it_on_disk(undisturbed: tuple[Ending, int], new_file: Callable[[], str], first: int) -> None:
    crashed = _crash_at_each(range(first, undisturbed[1] + 1, 2), new_file, undisturbed[0], finds_dead=True)
    assert crashed >= EFFECTS


def _crash_at_each(points: range, new_url: Callable[[], str], expected: Ending, *, finds_dead: bool) -> set[str]:
    crashed: set[str] = set()
    for point in points:
        ending, crash_points = end(new_url(), point.__eq__, finds_dead=finds_dead)
        assert ending == expected, f"after a crash at place {point}, {crash_points.crashed}"
        crashed.update(crash_points.crashed)
    return crashed


@pytest.mark.parametrize("every", [24, 25, 27, 29])
def test_processes_that_die_again_and_again_get_there_too(
    undisturbed: tuple[Ending, int], new_file: Callable[[], str], every: int
) -> None:
    for url in ("memory://", new_file()):
        ending, crash_points = end(url, lambda point: point % every == 0)
        assert ending == undisturbed[0]
        assert len(crash_points.crashed) > 2
