"""A parent and its children, and a process that dies before or after any effect of theirs: in the end all is as if
nobody had died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fsm_agent import open_store
from fsm_agent.domain.agent import Head
from fsm_agent.stores.base import Store
from fsm_agent.testing.clock import FakeClock
from tests.support.families import Looking, everybody, family, joined, standing

from .crashing import Crash, Fuse, Mortal

TOPICS = ["a", "ask", "bad", "d"]
Stage = Callable[[Mortal], Awaitable[object]]


async def begin(process: Mortal) -> None:
    workflow = family("at_once: 2, on_failure: continue")
    await process.start(workflow, "go", data={"topics": TOPICS}, id="p", key="begin", drive=False)


async def answer(process: Mortal) -> None:
    await process.answer("p.2.2", {"text": "said"}, key="answer")


async def cancel(process: Mortal) -> None:
    if (await process.store.head("p")).status == "running":
        await process.cancel("p")


class Life:
    """Processes that follow each other on one store, until all is done."""

    def __init__(self, blows: Callable[[int], bool]) -> None:
        self.clock = FakeClock()
        self.fuse = Fuse(blows)
        self.store: Store = open_store("memory://", clock=self.clock)

    async def aggregate(self, *stages: Stage) -> list[str]:
        process = self._process()
        for stage in stages:
            while not await self._survives(process, stage):
                process = self._process()
        return await self._told(process)

    def _process(self) -> Mortal:
        process = Mortal(self.store, self.clock, self.fuse, finds_dead=True)
        process.actions.add([Looking().as_action()])
        return process

    async def _survives(self, process: Mortal, stage: Stage) -> bool:
        try:
            await stage(process)
            while due := [head for head in await everybody(process) if self._is_due(head)]:
                for head in due:
                    await process.resume(head.id, stay=False)
                self.clock.advance(seconds=3)
        except Crash:
            return False
        return True

    def _is_due(self, head: Head) -> bool:
        return head.lease is not None or (head.wake_ms is not None and head.wake_ms <= self.clock.ms)

    async def _told(self, process: Mortal) -> list[str]:
        """How all ended; every history must hold, and nothing be left to do."""
        heads = await everybody(process)
        assert {(head.lease, head.children) for head in heads} == {(None, 0)}
        assert await self.store.due(self.clock.ms + 10**10, 9) == []
        times = await joined(process)
        return [str(times), str((await process.get("p")).output), *await standing(process)]


def ending(*stages: Stage, blows: Callable[[int], bool] = lambda _: False) -> tuple[list[str], Fuse]:
    life = Life(blows)
    return asyncio.run(life.aggregate(*stages)), life.fuse


@pytest.mark.parametrize("stages", [(begin, answer), (begin, cancel)], ids=["joined", "left"])
def test_a_crash_at_any_place_changes_nothing_in_the_end(stages: tuple[Stage, ...]) -> None:
    undisturbed, fuse = ending(*stages)
    assert fuse.places > 80
    assert undisturbed[0] == ("1" if answer in stages else "0")
    for place in range(1, fuse.places + 1):
        told, other = ending(*stages, blows=lambda now, place=place: now == place)  # type: ignore[misc]
        assert told == undisturbed, (place, other.blown)
