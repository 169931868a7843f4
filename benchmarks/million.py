"""A million agents that wait, in one SQLite file and in one PostgreSQL database; once, not at every run.

They are made by the store's own ``create``, many at once, from one agent that a runner has brought there: running a
million through their first step would measure the runner again.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from benchmarks.crowds import wake_in_turn
from benchmarks.measure import reason
from benchmarks.place import RAW, Place
from benchmarks.places import Places
from benchmarks.sizes import Sizes
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, Store, open_store
from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import AgentExport, Creation
from fsm_agent.runtime.agent_ids import new_id

_AT_ONCE: Final = 1_000
_LOOKS: Final = 15


def million_section(places: Places, sizes: Sizes) -> str:
    """A table with one line a backend."""
    head = (
        "| backend | made in | a waiting agent | wake p50 | raw | `list`, first page | a page in the middle "
        f"| `due`, {sizes.million_due} of them |\n|---|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    lines = []
    for place in (places.sqlite, places.postgres):
        try:
            line = _line(place, sizes)
        except Exception as error:
            line = f"| {place.name} | - ({reason(error)}) | | | | | | |"
        print(line, flush=True)
        lines.append(line)
    intro = (
        f"{sizes.million:,} agents, each with data of about 500 B, its first three steps and a timer, made by the "
        f"store's own `create`, {_AT_ONCE:,} at once; {sizes.million_due} timers are due. A page is 50 heads. Measured "
        "once with `make bench-million`; `make bench` keeps this section.\n\n"
    )
    return intro + head + "\n".join(lines)


def _line(place: Place, sizes: Sizes) -> str:
    return f"| {place.name} | {' | '.join(asyncio.run(_cells(place, sizes)))} |"


async def _cells(place: Place, sizes: Sizes) -> list[str]:
    async with Runner(open_store(place.fresh()), actions=[work]) as runner:
        store = runner.store
        began = time.perf_counter()
        ids = await populate(runner, sizes)
        made = time.perf_counter() - began
        each = place.weigh() / sizes.million
        place.drain()
        middle = ids[len(ids) // 2]
        first_page = await _median(lambda: store.list(limit=50))
        middle_page = await _median(lambda: store.list(limit=50, after=middle))
        due = await _median(lambda: _sweep(store, sizes.million_due))
        with place.raw() as by_hand:
            by_hand.prepare(sizes.million)
            place.drain(RAW)
            wake, raw = await wake_in_turn(runner, ids[sizes.million_due :], by_hand, sizes.wakes)
    looks = (wake, raw, first_page, middle_page, due)
    return [f"{made:,.0f} s", f"{each:,.0f} B", *(_duration(seconds) for seconds in looks)]


async def populate(runner: Runner, sizes: Sizes) -> list[str]:
    """Their ids, in order; the first are due."""
    model = await runner.start(WORKING, "go", data={**DATA, "until": 1})
    export = await runner.store.dump(model.id)
    now_ms = await runner.store.now()
    ids = sorted(new_id() for _ in range(sizes.million - 1))
    for begin in range(0, len(ids), _AT_ONCE):
        creations = [
            _twin(export, agent_id, due_ms=now_ms - 1 if begin + number < sizes.million_due else None)
            for number, agent_id in enumerate(ids[begin : begin + _AT_ONCE])
        ]
        await asyncio.gather(*(runner.store.create(creation) for creation in creations))
    return ids


def _twin(model: AgentExport, agent_id: str, *, due_ms: int | None) -> Creation:
    """The same agent under another id, perhaps with its timer due."""
    head: Head = model.head._replace(id=agent_id, lease=None)
    if due_ms is not None:
        timers = [timer.__class__(timer.state, timer.label, due_ms) for timer in head.timers]
        head = head._replace(timers=tuple(timers))
    return Creation(head, model.steps)


async def _sweep(store: Store, expected: int) -> Sequence[str]:
    due = await store.due(await store.now(), expected + 1)
    assert len(due) == expected, f"{len(due)} are due instead of {expected}"
    return due


async def _median(look: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        await look()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} us" if seconds < 0.01 else f"{seconds * 1e3:,.0f} ms"
