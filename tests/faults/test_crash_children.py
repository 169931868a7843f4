"""A parent and its children, and a process that dies before or after any effect of theirs: in the end all is as if
nobody had died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fsm_agent import open_store
from fsm_agent.domain.agent import Head
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from tests.support.parent_workflow import LookUp, all_heads, child_states, joined, parent_workflow

from .crash_points import Crash, CrashingRunner, CrashPoints

TOPICS = ["a", "ask", "bad", "d"]
Stage = Callable[[CrashingRunner], Awaitable[object]]


async def begin(process: CrashingRunner) -> None:
    workflow = parent_workflow("at_once: 2, on_failure: continue")
    await process.start(workflow, "go", data={"topics": TOPICS}, id="p", key="begin", drive=False)


async def answer(process: CrashingRunner) -> None:
    await process.answer("p.2.2", {"text": "said"}, key="answer")


async def cancel(process: CrashingRunner) -> None:
    if (await process.store.head("p")).status == "running":
        await process.cancel("p")


class ProcessSeries:
    """Processes that follow each other on one store until no agent is due."""

    def __init__(self, crashes_at: Callable[[int], bool]) -> None:
        self.clock = FakeClock()
        self.crash_points = CrashPoints(crashes_at)
        self.store: Store = open_store("memory://", clock=self.clock)

    async def run(self, *stages: Stage) -> list[str]:
        process = self._process()
        for stage in stages:
            while not await self._survives(process, stage):
                process = self._process()
        return await self._told(process)

    def _process(self) -> CrashingRunner:
        process = CrashingRunner(self.store, self.clock, self.crash_points, finds_dead=True)
        process.actions.add([LookUp().as_action()])
        return process

    async def _survives(self, process: CrashingRunner, stage: Stage) -> bool:
        try:
            await stage(process)
            while due := [head for head in await all_heads(process) if self._is_due(head)]:
                for head in due:
                    await process.resume(head.id, stay=False)
                self.clock.advance(seconds=3)
        except Crash:
            return False
        return True

    def _is_due(self, head: Head) -> bool:
        return head.lease is not None or (head.wake_ms is not None and head.wake_ms <= self.clock.ms)

    async def _told(self, process: CrashingRunner) -> list[str]:
        """How all agents ended; every history must be right, and nothing may be due."""
        heads = await all_heads(process)
        assert {(head.lease, head.children) for head in heads} == {(None, 0)}
        assert await self.store.due(self.clock.ms + 10**10, 9) == []
        times = await joined(process)
        return [str(times), str((await process.get("p")).output), *await child_states(process)]


def ending(*stages: Stage, crashes_at: Callable[[int], bool] = lambda _: False) -> tuple[list[str], CrashPoints]:
    series = ProcessSeries(crashes_at)
    return asyncio.run(series.run(*stages)), series.crash_points


@pytest.mark.parametrize("stages", [(begin, answer), (begin, cancel)], ids=["joined", "left"])
def test_a_crash_at_any_place_changes_nothing_in_the_end(stages: tuple[Stage, ...]) -> None:
    undisturbed, crash_points = ending(*stages)
    assert crash_points.points > 80
    assert undisturbed[0] == ("1" if answer in stages else "0")
    for point in range(1, crash_points.points + 1):
        told, other = ending(*stages, crashes_at=lambda now, point=point: now == point)  # type: ignore[misc]
        assert told == undisturbed, (point, other.crashed)
