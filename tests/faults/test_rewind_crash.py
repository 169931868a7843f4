"""Wherever a process dies in a rewind, either nothing or all of it has happened, and what was queued is refused on
record by whoever comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from fsm_agent import Runner, open_store
from fsm_agent.domain.agent import Status
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.runtime.replay import replay
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from tests.support.runtime import flow

from .crash_points import Crash, CrashingRunner, CrashPoints

ID = "a"
NOTES = [("note", {"text": "first"}, "key-1"), ("note", {"text": "second"}, "key-2")]
FLOW = flow("""
    data: {notes: {type: array, items: {type: string}, default: []}}
    events: {go: {}, note: {text: string}, ok: {}}
    initial: idle
    on: {note: {append: {notes: event.text}}}
    states:
      idle: {on: {go: working}}
      working: {do: work, after: {1d: idle}, on: {ok: idle}}
""")


async def _at_work(runner: Runner) -> None:
    """An agent at work that nobody drives, with two events queued behind its action."""
    await runner.start(FLOW, "go", id=ID, drive=False)
    for event, payload, key in NOTES:
        assert (await runner.send(ID, event, payload, key=key, drive=False)).delivery == "queued"


async def _rewound(url: str, version: int, crashes_at: Callable[[int], bool]) -> CrashPoints:
    """A rewind, in which a process dies where the fuse says, and another one that comes after it."""
    clock, crash_points = FakeClock(), CrashPoints(crashes_at)
    async with Runner(open_store(url, clock=clock)) as quick:
        store = quick.store
        await _at_work(quick)
        try:
            await CrashingRunner(store, clock, crash_points, finds_dead=True).rewind(ID, version, by="ana")
        except Crash:
            if not await _has_happened(store):
                await quick.rewind(ID, version, by="ana")
        await quick.resume(ID)
        await _all_is_told(quick, version)
    return crash_points


async def _has_happened(store: Store) -> bool:
    head, kinds = await store.head(ID), [step.kind for step in await store.history(ID)]
    assert (head.rewound > 0) is (StepKind.REWOUND in kinds)
    assert head.rewound or (head.version, head.status, head.queued) == (2, Status.RUNNING, 2)
    return bool(head.rewound)


async def _all_is_told(runner: Runner, version: int) -> None:
    steps, head = await runner.history(ID), await runner.store.head(ID)
    told = [(step.kind, step.event) for step in steps[2:]]
    assert told == [(StepKind.REWOUND, "rewind"), *[(StepKind.REFUSED, "note")] * 2]
    assert {step.reason for step in steps[3:]} == {"the agent was rewound after it had arrived"}
    assert (head.queued, head.lease, head.status) == (0, None, Status.PARKED if version == 2 else Status.WAITING)
    assert (await runner.get(ID)).data == {"notes": []}
    for event, payload, key in NOTES:
        assert (await runner.send(ID, event, payload, key=key)).delivery == "duplicate"
    assert (await replay(runner.store, ID)).mismatches == []


@pytest.fixture(params=["memory", "sqlite"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    numbers = count()
    return lambda: "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.mark.parametrize("version", [1, 2], ids=["to where it waits", "to where it works"])
def test_a_crash_anywhere_in_a_rewind_leaves_nothing_or_all_of_it(new_url: Callable[[], str], version: int) -> None:
    points = asyncio.run(_rewound(new_url(), version, lambda point: False)).points
    crashed: set[str] = set()
    for point in range(1, points + 1):
        crashed.update(asyncio.run(_rewound(new_url(), version, point.__eq__)).crashed)
    assert {"Load", "ReadHistory", "ReadOrigin", "ReadProgram", "Commit", "Interrupt", "ReadEffects"} <= crashed
    assert points > 16
