"""What it costs to find who is due where many others are held, and to renew the leases of many."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks import bars
from benchmarks.measure import Row, at_least, at_most
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from benchmarks.workers.flow import FLOW
from fsm_agent import Runner, Store, open_store
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.domain.record import AgentExport, Creation

#: of agents that are due beside those that are held
_DUE: Final = 200
#: that are asked for
_LIMIT: Final = 100
_LOOKS: Final = 25
_RENEWALS: Final = 5
_CREATED_AT_ONCE: Final = 500
_DAY_MS: Final = 86_400_000
_ELSEWHERE: Final = Holder("elsewhere", 1, 0)


def held_rows(place: Place, sizes: Sizes) -> list[Row]:
    return asyncio.run(_rows(place, sizes))


async def _rows(place: Place, sizes: Sizes) -> list[Row]:
    """Both stores are parts of one database, and take turns."""
    url = place.fresh()
    async with Runner(open_store(url, namespace="free")) as free, Runner(open_store(url, namespace="held")) as busy:
        await fill(free, held=0)
        claimed = await fill(busy, held=sizes.held)
        place.drain()
        found = await _in_turn(lambda store: _timed(lambda: _due(store)), free.store, busy.store)
        taken = await _in_turn(_take_and_release, free.store, busy.store)
        renewals = await _renewals(place, busy.store, claimed[: sizes.leases])
    return [
        _row(f"`due` of {_LIMIT}", place, sizes, *found),
        _row(f"`take` of {_LIMIT}", place, sizes, *taken),
        renewals,
    ]


async def fill(runner: Runner, *, held: int) -> list[Claimed]:
    """Some agents that are due, and many that another host holds."""
    model = await runner.start(FLOW, "go", drive=False)
    export = await runner.store.dump(model.id)
    lease = Lease(_ELSEWHERE, await runner.store.now() + _DAY_MS)
    await _create(runner.store, export, [f"due-{number}" for number in range(_DUE)], None)
    ids = [f"held-{number:07}" for number in range(held)]
    await _create(runner.store, export, ids, lease)
    return [Claimed(ids[0], (await runner.store.head(ids[0])).epoch)._replace(agent_id=each) for each in ids]


async def _create(store: Store, export: AgentExport, ids: list[str], lease: Lease | None) -> None:
    for begin in range(0, len(ids), _CREATED_AT_ONCE):
        heads = (export.head._replace(id=agent_id, lease=None) for agent_id in ids[begin : begin + _CREATED_AT_ONCE])
        await asyncio.gather(*(store.create(Creation(head, export.steps, lease=lease)) for head in heads))


async def _in_turn(measure: Callable[[Store], Awaitable[float]], free: Store, busy: Store) -> tuple[float, float]:
    """The medians of both: the store with agents that are held, and the one without."""
    await measure(free), await measure(busy)
    pairs = [(await measure(busy), await measure(free)) for _ in range(_LOOKS)]
    with_held, without = (statistics.median(side) for side in zip(*pairs, strict=True))
    return with_held, without


def _row(what: str, place: Place, sizes: Sizes, with_held: float, without: float) -> Row:
    detail = f"{with_held * 1e3:.2f} ms against {without * 1e3:.2f} ms"
    work = f"{what}, {sizes.held:,} agents held against none, {place.name}"
    return at_most(work, bars.AMONG_HELD, with_held / without, detail)


async def _due(store: Store) -> None:
    found = await store.due(await store.now(), _LIMIT)
    assert len(found) == _LIMIT, f"{len(found)} are due instead of {_LIMIT}"


async def _take_and_release(store: Store) -> float:
    """The seconds of taking; what was taken is given back."""
    lease = Lease(_ELSEWHERE, await store.now() + _DAY_MS)
    began = time.perf_counter()
    taken = await store.take(_LIMIT, lease)
    took = time.perf_counter() - began
    assert len(taken) == _LIMIT, f"{len(taken)} were taken instead of {_LIMIT}"
    await asyncio.gather(*(store.release(each.agent_id, each.epoch) for each in taken))
    return took


async def _renewals(place: Place, store: Store, claimed: list[Claimed]) -> Row:
    """Many leases in one statement, against one statement a lease, which all begin at the same time."""
    lease = Lease(_ELSEWHERE, await store.now() + 2 * _DAY_MS)

    async def together() -> None:
        renewed = await store.renew_all(claimed, lease)
        assert len(renewed) == len(claimed), f"{len(renewed)} of {len(claimed)} leases were renewed"

    async def one_by_one() -> None:
        renewed = await asyncio.gather(*(store.renew(each.agent_id, each.epoch, lease) for each in claimed))
        assert all(renewed)

    await _timed(together), await _timed(one_by_one)
    pairs = [(await _timed(one_by_one), await _timed(together)) for _ in range(_RENEWALS)]
    apart, at_once = (statistics.median(side) for side in zip(*pairs, strict=True))
    return at_least(
        f"renewing {len(claimed):,} leases one by one against `renew_all`, {place.name}",
        None,
        apart / at_once,
        f"{apart * 1e3:.0f} ms against {at_once * 1e3:.1f} ms",
    )


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
