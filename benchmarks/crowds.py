"""Ten thousand agents that wait: what each weighs, and how fast one wakes."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from benchmarks import bars
from benchmarks.dialogue import Dialogue
from benchmarks.measure import Row, at_most, noted
from benchmarks.place import RAW, Place
from benchmarks.places import TieredPlace
from benchmarks.raw import Raw
from benchmarks.sizes import Sizes
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store

AT_ONCE: Final = 500
_ROUND: Final = 20


class Crowd(NamedTuple):
    """Bytes of one, and the seconds in which it wakes; by hand, too, where there is a statement for it."""

    each: float
    wake: float
    raw: float | None = None


@cache
def crowd_of(place: Place, sizes: Sizes) -> Crowd:
    """Gathered once, for all tables that it stands in; in memory, in a process that has had no other before."""
    if place.name == "memory":
        with Dialogue([sys.executable, "-m", "benchmarks.writer"]) as alone:
            return Crowd(**alone.ask("gather", agents=sizes.crowd, wakes=sizes.wakes))
    return asyncio.run(gathered(place, sizes.crowd, sizes.wakes))


def waiting_crowd(place: Place, sizes: Sizes) -> list[Row]:
    crowd = crowd_of(place, sizes)
    title = f"{sizes.crowd:,} waiting agents, {place.name}"
    weight = f"{crowd.each:,.0f} B an agent, with its data of about 500 B, its three steps and a timer"
    rows = [at_most(f"{title}: KB each", bars.WAITING_KB.get(place.name), crowd.each / 1000, weight)]
    speed = f"p50 {crowd.wake * 1e6:,.0f} us (load, decide, commit)"
    if crowd.raw is None:
        return [*rows, noted(f"{title}: wake p50", None, speed)]
    speed += f" against {crowd.raw * 1e6:,.0f} us raw (read, step), in turn{place.said_of_log}"
    bar = bars.WAKE.get(place.name)
    return [*rows, at_most(f"{title}: wake p50 against raw", bar, crowd.wake / crowd.raw, speed)]


async def gathered(place: Place, agents: int, wakes: int) -> Crowd:
    async with Runner(open_store(place.fresh()), actions=[work]) as runner:
        ids = await gather_crowd(runner, agents)
        each = place.weigh() / agents
        if place.name == "memory":
            return Crowd(each, statistics.median(await wake_some(runner, ids, wakes)))
        place.drain()
        with place.raw() as raw:
            raw.prepare(agents)
            place.drain(RAW)
            return Crowd(each, *await wake_in_turn(runner, ids, raw, wakes))


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


async def wake_in_turn(runner: Runner, ids: Sequence[str], raw: Raw, wakes: int) -> tuple[float, float]:
    """The medians of our wakes and of those by hand, which take turns in rounds; the first round warms up."""
    chosen = random.Random(7).sample(ids, min(wakes + _ROUND, len(ids)))  # noqa: S311 - a benchmark needs no secrets
    ours: list[float] = []
    by_hand: list[float] = []
    for begin in range(0, len(chosen), _ROUND):
        ours += await wake_some(runner, chosen[begin : begin + _ROUND], _ROUND)
        by_hand += [raw.waking() for _ in range(_ROUND)]
    measured = slice(_ROUND if len(chosen) > _ROUND else 0, None)
    return statistics.median(ours[measured]), statistics.median(by_hand[measured])


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
        place.drain()
        with place.raw() as by_hand:
            by_hand.prepare(agents)
            wake, raw = await wake_in_turn(runner, ids, by_hand, sizes.wakes)
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
