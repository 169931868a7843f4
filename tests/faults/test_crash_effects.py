"""Wherever a process dies around its effects, what is recorded is never done again, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fsm_agent import EffectEntry, open_store
from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store

from . import payment
from .crash_points import Crash, CrashingRunner, CrashPoints

#: what was asked for, by what may happen to it
IDEMPOTENT = {"charge", "charge again", "tip"}
CHECKED = {"ship", "ship more"}
AT_MOST_ONCE = {"mail", "mail more"}


class Ending(NamedTuple):
    """What must be the same with and without crashes. Keys may differ: a settlement by an operator is one more step, so
    later states are entered by another version."""

    state: str
    #: what the receipts are for
    data: list[str]
    #: name, use, what the result is for, whether it is open
    effects: list[tuple[str, int, str, bool]]


class CheckedService(payment.PaymentService):
    """Fails if an effect with a recorded result is done again."""

    def __init__(self, crash_points: CrashPoints) -> None:
        super().__init__(crash_points)
        self.recorded: set[str] = set()

    def do(self, what: str, *, idempotency_key: str) -> dict[str, Any]:
        assert idempotency_key not in self.recorded, f"{what} is done again though its result is recorded"
        return super().do(what, idempotency_key=idempotency_key)


class ProcessSeries:
    """Processes make one payment, one after the other, until one does not crash."""

    def __init__(self, url: str, crashes_at: Callable[[int], bool], *, finds_dead: bool) -> None:
        self.crash_points = CrashPoints(crashes_at)
        self.service = CheckedService(self.crash_points)
        self._url, self._finds_dead = url, finds_dead
        self._clock = FakeClock()
        self._store = open_store(url, clock=self._clock)

    async def run(self) -> Ending:
        for _ in range(100):
            process = CrashingRunner(self._store, self._clock, self.crash_points, finds_dead=self._finds_dead)
            process.actions.add(payment.actions(self.service))
            try:
                agent = await payment.run_payment(process, self.service)
            except Crash:
                await self._is_replaced()
            else:
                return await self._ending(agent)
        raise AssertionError("no process gets anywhere")

    async def _is_replaced(self) -> None:
        """A memory store outlives the process only in this test; a file is opened again."""
        if not self._url.startswith("memory"):
            await self._store.close()
            self._store = open_store(self._url, clock=self._clock)
        if not self._finds_dead:
            self._clock.ms += LEASE_MS + 1
        self.service.recorded = {entry.key for entry in await _effects(self._store) if not entry.is_open}

    async def _ending(self, agent: Agent) -> Ending:
        history, effects = await self._store.history(payment.ID), await _effects(self._store)
        assert fold(None, history).values == agent.data
        assert agent.status is Status.DONE
        await self._store.close()
        told = [(entry.name, entry.use, entry.result["what"], entry.is_open) for entry in effects]
        assert [entry.result["key"] for entry in effects] == [entry.key for entry in effects]
        return Ending(agent.state, [receipt["what"] for receipt in agent.data["receipts"]], told)


async def _effects(store: Store) -> list[EffectEntry]:
    ids = [head.id for head in (await store.list()).heads]
    return [entry for agent_id in ids for entry in await store.effects(agent_id)]


def end(url: str, crashes_at: Callable[[int], bool], *, finds_dead: bool = True) -> tuple[Ending, ProcessSeries]:
    series = ProcessSeries(url, crashes_at, finds_dead=finds_dead)
    return asyncio.run(series.run()), series


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[[], str]:
    """The URL of a file that is not there yet."""
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Ending, int]:
    """The end without a crash, and the number of crash points."""
    ending, series = end("memory://", lambda point: False)
    assert set(series.service.done.values()) == {1}
    return ending, series.crash_points.points


def check(expected: Ending, ending: Ending, series: ProcessSeries) -> None:
    """Check the promises about effects."""
    where = f"after crashes at {series.crash_points.crashed}"
    assert ending == expected, where
    service, crashes = series.service, len(series.crash_points.crashed)
    assert {len(service.times(what)) for what in IDEMPOTENT | CHECKED | AT_MOST_ONCE} == {1}, f"one key each, {where}"
    for what in IDEMPOTENT:
        assert service.times(what)[0] <= crashes + 1, where
    for what in CHECKED | AT_MOST_ONCE:
        assert service.times(what) == [1], where


@pytest.mark.parametrize("finds_dead", [True, False], ids=["the holder is dead", "its lease has run out"])
def test_a_crash_at_any_place_around_effects_keeps_every_promise(
    undisturbed: tuple[Ending, int], finds_dead: bool
) -> None:
    _crash_at_each(range(1, undisturbed[1] + 1), lambda: "memory://", undisturbed[0], finds_dead=finds_dead)


@pytest.mark.parametrize("first", [1, 2], ids=["before each effect", "after each effect"])
def test_and_so_it_does_on_disk(undisturbed: tuple[Ending, int], new_file: Callable[[], str], first: int) -> None:
    _crash_at_each(range(first, undisturbed[1] + 1, 2), new_file, undisturbed[0], finds_dead=True)


def _crash_at_each(points: range, new_url: Callable[[], str], expected: Ending, *, finds_dead: bool) -> None:
    crashed: Counter[str] = Counter()
    repeated = 0
    for point in points:
        ending, series = end(new_url(), point.__eq__, finds_dead=finds_dead)
        check(expected, ending, series)
        crashed.update(series.crash_points.crashed)
        repeated += series.service.done.total() - len(series.service.done)
    assert {"Begin", "Do", "End"} <= crashed.keys()
    assert repeated > 0, "something idempotent was done again, or this proves nothing"


@pytest.mark.parametrize("every", [29, 31, 33, 35])
def test_processes_that_die_again_and_again_keep_them_too(
    undisturbed: tuple[Ending, int], new_file: Callable[[], str], every: int
) -> None:
    for url in ("memory://", new_file()):
        ending, series = end(url, lambda point: point % every == 0)
        check(undisturbed[0], ending, series)
        assert len(series.crash_points.crashed) > 2
