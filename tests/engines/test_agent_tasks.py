"""Agents that are woken are advanced in tasks: again if they are woken meanwhile, and later if they say so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fsm_agent.engines import HORIZON_MS, AgentTasks
from tests.support.runtime import on_loop


class Advancing:
    """What is called for each agent: it notes that, waits for its gate, and returns the next answer."""

    def __init__(self, *answers: int | None) -> None:
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._answers = iter(answers)
        self._changed = asyncio.Condition()

    async def __call__(self, agent_id: str) -> int | None:
        async with self._changed:
            self.calls.append(agent_id)
            self._changed.notify_all()
        await self.gate.wait()
        return next(self._answers, None)

    async def have_been(self, calls: Sequence[str]) -> None:
        """Wait until these calls were made."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.calls == list(calls))


@on_loop
async def test_who_is_woken_while_it_is_advanced_is_advanced_once_more() -> None:
    advance = Advancing()
    advance.gate.clear()
    tasks = AgentTasks(advance, at_once=9)
    tasks.wake("a")
    await advance.have_been("a")
    for _ in range(3):
        tasks.wake("a")
    advance.gate.set()
    await advance.have_been("aa")
    await tasks.drain(9)
    assert advance.calls == ["a", "a"]


@on_loop
async def test_who_needs_somebody_later_is_advanced_then_unless_somebody_wakes_it_before() -> None:
    advance = Advancing(1, 60_000, None)
    tasks = AgentTasks(advance, at_once=9)
    tasks.wake("a")
    await advance.have_been("aa")
    await asyncio.sleep(0)
    tasks.wake("a")
    await advance.have_been("aaa")
    await tasks.drain(9)


@on_loop
async def test_what_is_further_than_the_horizon_is_left_to_the_sweep() -> None:
    advance = Advancing(HORIZON_MS, HORIZON_MS + 1)
    tasks = AgentTasks(advance, at_once=9)
    for name in "ab":
        tasks.wake(name)
    await advance.have_been("ab")
    await asyncio.sleep(0)
    assert list(tasks._later) == ["a"]
    await tasks.drain(9)
    assert list(tasks._later) == []


@on_loop
async def test_who_waits_for_its_turn_when_it_stops_has_none() -> None:
    advance = Advancing()
    advance.gate.clear()
    tasks = AgentTasks(advance, at_once=1)
    for name in "ab":
        tasks.wake(name)
    await advance.have_been("a")
    draining = asyncio.create_task(tasks.drain(9))
    await asyncio.sleep(0)
    tasks.wake("c")
    advance.gate.set()
    await draining
    assert advance.calls == ["a"]
