"""How many agents workers drive in a second, against the worker as it was; and whether they get in each other's way."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from typing import Final

from benchmarks import bars
from benchmarks.measure import Row, at_least, at_most, noted
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from benchmarks.workers.crew import Done, crew
from benchmarks.workers.flow import ACTION_S, FLOW, STEPS
from benchmarks.workers.process import SWEEPS, TAKES
from fsm_agent import Runner, open_store

_STARTS_AT_ONCE: Final = 50
_PATIENCE_S: Final = 300


def agents_a_second(place: Place, sizes: Sizes) -> list[Row]:
    rows: list[Row] = []
    for processes in sizes.worker_processes:
        ours: list[Done] = []
        before: list[Done] = []
        for _ in range(sizes.worker_runs):
            ours.append(run(place, TAKES, processes, sizes.worker_agents))
            before.append(run(place, SWEEPS, processes, sizes.worker_agents))
        rows += _rows(place, processes, sizes.worker_agents, ours, before)
    return rows


def run(place: Place, way: str, processes: int, agents: int) -> Done:
    """Drive so many agents that are due when the processes begin."""
    url = place.fresh()
    asyncio.run(start_all(url, agents))
    place.drain()
    with crew(url, way, processes) as workers:
        workers.begin()
        workers.wait(agents, patience_s=_PATIENCE_S)
        return workers.end()


async def start_all(url: str, agents: int) -> None:
    """Agents that are left to workers."""
    async with Runner(open_store(url)) as runner:
        turn = asyncio.Semaphore(_STARTS_AT_ONCE)

        async def start(number: int) -> None:
            async with turn:
                await runner.start(FLOW, "go", id=f"agent-{number:07}", drive=False)

        await asyncio.gather(*(start(number) for number in range(agents)))


def _rows(place: Place, processes: int, agents: int, ours: Sequence[Done], before: Sequence[Done]) -> list[Row]:
    speed, was = (statistics.median(agents / done.seconds for done in dones) for dones in (ours, before))
    loads, loads_before = (statistics.median(done.loads / agents for done in dones) for dones in (ours, before))
    refused, refused_before = (max(done.conflicts + done.taken_again for done in dones) for dones in (ours, before))
    cpu_ms = statistics.median(done.cpu_s / (agents * STEPS) for done in ours) * 1e3
    who = f"{processes} worker process{'es' if processes > 1 else ''}, {place.name}"
    load = f"{agents:,} agents of three actions, {ACTION_S * 1e3:.0f} ms each"
    is_one = processes == 1
    rows = [
        at_least(
            f"{who}: agents a second, against `due` and `resume`",
            bars.WORKER if is_one else None,
            speed / was,
            f"{speed:,.0f} agents/s against {was:,.0f}; {load}; {cpu_ms:.2f} ms of CPU of workers a step",
        )
    ]
    if is_one:
        rows.append(at_least(f"{who}: agents a second", bars.WORKER_AGENTS, speed, f"{speed * STEPS:,.0f} steps/s"))
    if processes == 1:
        return rows
    is_most = processes == max(4, processes)
    loaded = f"{loads_before:.2f} where each process looked for itself"
    conflicts = f"the most of {len(ours)} runs: refused claims and commits, and agents taken twice"
    return [
        *rows,
        at_most(f"{who}: loads an agent", bars.WORKER_LOADS if is_most else None, loads, loaded),
        at_most(f"{who}: conflicts", bars.TAKE_CONFLICTS, refused, f"{conflicts}; {refused_before:,} before")
        if is_most
        else noted(f"{who}: conflicts", refused, f"{conflicts}; {refused_before:,} before"),
    ]
