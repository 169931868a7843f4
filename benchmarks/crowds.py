"""Ten thousand agents that wait: what each weighs, and how fast one wakes."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from benchmarks.dialogue import Dialogue
from benchmarks.measure import Row, at_most, noted
from benchmarks.places import Place, TieredPlace
from benchmarks.sizes import Sizes
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store

AT_ONCE = 500


class Crowd(NamedTuple):
    """Bytes of one, and the seconds in which it wakes."""

    each: float
    wake: float


@cache
def crowd_of(place: Place, sizes: Sizes) -> Crowd:
    """Gathered once, for all tables that it stands in; in memory, in a process that has had no other before."""
    if place.name == "memory":
        with Dialogue([sys.executable, "-m", "benchmarks.writer"]) as alone:
            return Crowd(**alone.ask("gather", agents=sizes.crowd, wakes=sizes.wakes))
    return asyncio.run(gathered(place, sizes.crowd, sizes.wakes))


def waiting_crowd(place: Place, sizes: Sizes) -> list[Row]:
    """The bar of 1 KB is that of a file: memory and Redis keep everything in RAM, ready to be read."""
    crowd = crowd_of(place, sizes)
    title = f"{sizes.crowd:,} waiting agents, {place.name}"
    weight = f"{crowd.each:,.0f} B an agent, with its data of about 500 B, its three steps and a timer"
    weighed = f"{title}: KB each"
    if place.name == "SQLite":
        rows = [at_most(weighed, 1, crowd.each / 1000, weight)]
    else:
        rows = [noted(weighed, crowd.each / 1000, weight)]
    if place.name == "memory":
        return [*rows, noted(f"{title}: wake p50", None, f"p50 {crowd.wake * 1e6:,.0f} us (load, decide, commit)")]
    raw = raw_wake(place, sizes, sizes.crowd)
    speed = f"p50 {crowd.wake * 1e6:,.0f} us (load, decide, commit) against {raw * 1e6:,.0f} us raw (read, step)"
    return [*rows, at_most(f"{title}: wake p50 against raw", 3, crowd.wake / raw, speed)]


async def gathered(place: Place, agents: int, wakes: int) -> Crowd:
    async with Runner(open_store(place.fresh()), actions=[work]) as runner:
        ids = await gather_crowd(runner, agents)
        each = place.weigh() / agents
        return Crowd(each, statistics.median(await wake_some(runner, ids, wakes)))


async def gather_crowd(runner: Runner, agents: int) -> list[str]:
    """The ids of as many agents, each with one step of work behind it, that wait for a poke or for 30 days."""
    ids: list[str] = []
    data = {**DATA, "until": 1}
    while len(ids) < agents:
        batch = min(AT_ONCE, agents - len(ids))
        made = await asyncio.gather(*(runner.start(WORKING, "go", data=data) for _ in range(batch)))
        ids += [agent.id for agent in made]
    return ids


async def wake_some(runner: Runner, ids: Sequence[str], wakes: int) -> list[float]:
    """The seconds of each of some wakes, anywhere among them."""
    woken = []
    for agent_id in random.Random(7).sample(ids, min(wakes, len(ids))):  # noqa: S311 - a benchmark needs no secrets
        began = time.perf_counter()
        await runner.send(agent_id, "poke")
        woken.append(time.perf_counter() - began)
    return woken


def raw_wake(place: Place, sizes: Sizes, agents: int) -> float:
    """The median of as many wakes by hand, among as many agents."""
    with place.raw() as raw:
        raw.prepare(agents)
        return statistics.median(raw.waking() for _ in range(sizes.wakes))


def archived_crowd(place: TieredPlace, sizes: Sizes) -> list[Row]:
    """A tenth of the crowd, since each of them is moved by itself."""
    agents = max(1, sizes.crowd // 10)
    return asyncio.run(_archived(place, sizes, agents))


async def _archived(place: TieredPlace, sizes: Sizes, agents: int) -> list[Row]:
    async with Runner(open_store(place.fresh_and_restless()), actions=[work]) as runner:
        ids = await gather_crowd(runner, agents)
        warm = place.weigh() / agents
        began = time.perf_counter()
        moved = await _archive_all(runner, agents)
        archive = (time.perf_counter() - began) / max(1, moved)
        stub, cold = place.weigh() / agents, place.weigh_cold() / agents
        wake = statistics.median(await wake_some(runner, ids, sizes.wakes))
        raw = await asyncio.to_thread(raw_wake, place, sizes, agents)
    title = f"{agents:,} waiting agents, tiered"
    weight = (
        f"{stub:,.0f} B in Redis where {warm:,.0f} B were, and {cold:,.0f} B in PostgreSQL; "
        f"{archive * 1e3:.1f} ms to archive one"
    )
    speed = f"p50 {wake * 1e6:,.0f} us (recall, load, decide, commit) against {raw * 1e6:,.0f} us raw in Redis"
    return [
        noted(f"{title}, archived: part of Redis that they still take", stub / warm, weight),
        noted(f"{title}: wake p50 out of the archive against raw", wake / raw, speed),
    ]


async def _archive_all(runner: Runner, agents: int) -> int:
    """As a worker's sweeps would; returns how many were moved."""
    moved = 0
    for _ in range(agents):
        moved += await runner.store.tend()
        if moved >= agents:
            break
    return moved
