"""What it costs to find who is due, where very many are held: workers at work must not slow each other's look."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Final

from benchmarks import bars
from benchmarks.measure import Pair, Row, at_most
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from fsm_agent import open_store
from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions

#: how many are due in either namespace, all of them on one page
_DUE: Final = 100
_AT_ONCE: Final = 500
_LOOKS: Final = 20
_DAY_MS: Final = 86_400_000


def due_beside_held(place: Place, sizes: Sizes) -> list[Row]:
    """Two namespaces of one database, of which the other has nobody who is held."""
    took = asyncio.run(_measured(place, sizes))
    work = f"`due`, {_DUE} of them, beside {sizes.held:,} that are held against none, {place.name}"
    detail = f"{took.subject * 1e3:.2f} ms against {took.yardstick * 1e3:.2f} ms"
    return [at_most(work, bars.DUE_BESIDE_HELD.get(place.name), took.subject / took.yardstick, detail)]


async def _measured(place: Place, sizes: Sizes) -> Pair:
    url = place.fresh()
    async with open_store(url, namespace="busy") as busy, open_store(url, namespace="idle") as idle:
        for store, held in ((busy, sizes.held), (idle, 0)):
            await _fill(store, held)
        place.drain()
        pairs = [(await _looked(busy), await _looked(idle)) for _ in range(sizes.runs + 1)][1:]
    return Pair(statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs))


async def _fill(store: Store, held: int) -> None:
    await keep_definitions(store)
    now_ms = await store.now()
    lease = Lease(Holder("elsewhere", 1, now_ms), now_ms + _DAY_MS)
    at_work = [a_creation(f"held-{n}", status=Status.RUNNING, updated_ms=now_ms, lease=lease) for n in range(held)]
    due = [a_creation(f"due-{n}", status=Status.RUNNING, updated_ms=now_ms) for n in range(_DUE)]
    creations = at_work + due
    for begin in range(0, len(creations), _AT_ONCE):
        await asyncio.gather(*map(store.create, creations[begin : begin + _AT_ONCE]))


async def _looked(store: Store) -> float:
    """The median of some looks, in seconds."""
    now_ms = await store.now()
    took = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        found = await store.due(now_ms, _DUE)
        took.append(time.perf_counter() - began)
        if len(found) != _DUE:
            raise ValueError(f"{len(found)} of {_DUE} agents are due in {store.url}")
    return statistics.median(took)
