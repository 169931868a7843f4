"""A million agents that wait, some of them for an answer, in one SQLite file and in one PostgreSQL database; once, not
at every run.

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
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AgentExport, Creation
from fsm_agent.domain.selection import QuestionPlace, Selection, question_place
from fsm_agent.runtime.agent_ids import new_id

_AT_ONCE: Final = 1_000
_PEOPLE: Final = 1_000
#: within which deadlines lie
_DEADLINES_MS: Final = 30 * 86_400_000
_PAGES_BEFORE: Final = 50
_LOOKS: Final = 15


def million_section(places: Places, sizes: Sizes) -> str:
    """Two tables with one line a backend: agents, and what is asked of all of them."""
    lines: tuple[list[str], list[str]] = ([], [])
    for place in (places.sqlite, places.postgres):
        try:
            cells = asyncio.run(_cells(place, sizes))
        except Exception as error:
            cells = [f"- ({reason(error)})"], [f"- ({reason(error)})"]
        for table, line in zip(lines, cells, strict=True):
            table.append(f"| {place.name} | {' | '.join(line)} |")
            print(table[-1], flush=True)
    agents, looks = (
        "\n".join(["| " + " | ".join(["backend", *heads]) + " |", "|---" + "|--:" * len(heads) + "|", *table])
        for heads, table in zip((_agents_heads(sizes), _LOOKS_HEADS), lines, strict=True)
    )
    return f"{_said_of_agents(sizes)}\n\n{agents}\n\n{_said_of_looks(sizes)}\n\n{looks}"


def _agents_heads(sizes: Sizes) -> Sequence[str]:
    return (
        "made in",
        "a waiting agent",
        "wake p50",
        "raw",
        "`list`, first page",
        "a page in the middle",
        f"`due`, {sizes.million_due} of them",
    )


def _said_of_agents(sizes: Sizes) -> str:
    return (
        f"{sizes.million:,} agents, each with data of about 500 B, its first three steps and a timer, made by the "
        f"store's own `create`, {_AT_ONCE:,} at once; {sizes.million_due} timers are due. A page is 50 heads. Measured "
        "once with `make bench-million`; `make bench` keeps this section."
    )


def _said_of_looks(sizes: Sizes) -> str:
    return (
        f"{sizes.million_asking:,} of them ask something, half of them one of {_PEOPLE:,} people by name. With these "
        "verbs of the store the server answers `GET /v1/questions` and `GET /v1/agents`, follows agents, and counts."
    )


async def _cells(place: Place, sizes: Sizes) -> tuple[list[str], list[str]]:
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
        asked = await _looks(store, ids)
        with place.raw() as by_hand:
            by_hand.prepare(sizes.million)
            place.drain(RAW)
            wake, raw = await wake_in_turn(runner, ids[sizes.million_due :], by_hand, sizes.wakes)
    times = (wake, raw, first_page, middle_page, due)
    return [f"{made:,.0f} s", f"{each:,.0f} B", *map(_duration, times)], [*map(_duration, asked)]


#: what ``_looks`` measures, in its order
_LOOKS_HEADS: Final = (
    "`questions`, first page",
    "a page in the middle",
    "those to one person",
    "how many",
    "the newest agents",
    "those of a rare status",
    "`heads` of 200",
    "`tally`",
)


async def _looks(store: Store, ids: Sequence[str]) -> list[float]:
    """The seconds of what is asked of all agents."""
    place, watched = await _middle(store), ids[:: max(1, len(ids) // 200)]
    return [
        await _median(lambda: store.questions(limit=50)),
        await _median(lambda: store.questions(limit=50, after=place)),
        await _median(lambda: store.questions(to=_person(0), limit=50)),
        await _median(store.count_questions),
        await _median(lambda: store.select(Selection(), newest=True, limit=50)),
        await _median(lambda: store.list(status=Status.PARKED, limit=50)),
        await _median(lambda: store.heads(watched)),
        await _median(store.tally),
    ]


async def _middle(store: Store) -> QuestionPlace | None:
    """The place of a question that many stand before."""
    page = await store.questions(limit=1_000)
    for _ in range(_PAGES_BEFORE):
        if page.next is None:
            break
        page = await store.questions(limit=1_000, after=page.next)
    return question_place(page.heads[-1]) if page.heads else None


def _person(number: int) -> str:
    return f"person {number % _PEOPLE}"


async def populate(runner: Runner, sizes: Sizes) -> list[str]:
    """Their ids, in order; the first are due, and some of the others ask something."""
    model = await runner.start(WORKING, "go", data={**DATA, "until": 1})
    export = await runner.store.dump(model.id)
    now_ms = await runner.store.now()
    ids = sorted(new_id() for _ in range(sizes.million - 1))
    for begin in range(0, len(ids), _AT_ONCE):
        creations = [
            _twin(export, agent_id, sizes, number, now_ms)
            for number, agent_id in enumerate(ids[begin : begin + _AT_ONCE], start=begin)
        ]
        await asyncio.gather(*(runner.store.create(creation) for creation in creations))
    return ids


def _twin(model: AgentExport, agent_id: str, sizes: Sizes, number: int, now_ms: int) -> Creation:
    """The same agent under another id. The first have a timer that is due; some of the others have a question, and a
    deadline of their own."""
    head: Head = model.head._replace(id=agent_id, lease=None)
    question, rest = divmod(number, max(1, sizes.million // sizes.million_asking))
    if number < sizes.million_due:
        return Creation(_due_at(head, now_ms - 1), model.steps)
    if rest:
        return Creation(head, model.steps)
    to = () if question % 2 else (_person(question),)
    asked = Asked(f"Offer {question}?", to, ("go",), head.version)
    due_ms = now_ms + _DEADLINES_MS + question * 7_919_317 % _DEADLINES_MS
    return Creation(_due_at(head, due_ms)._replace(asked=asked), model.steps)


def _due_at(head: Head, due_ms: int) -> Head:
    return head._replace(timers=tuple(timer._replace(due_ms=due_ms) for timer in head.timers))


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
