"""The decision table: where state may live, what a step costs there, and what a crash costs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from benchmarks.crowds import crowd_of
from benchmarks.dialogue import Dialogue
from benchmarks.measure import percentile, reason, take_turns
from benchmarks.place import Place
from benchmarks.places import Places
from benchmarks.sizes import Sizes
from benchmarks.steps import drive_many
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.step import Event
from fsm_agent.engine.machine import Machine

_NOTHING: Final = "nothing"
_ANYBODY: Final = "any number of processes and hosts"
_ON_RECORD: Final = "every step: `history`, `replay`, `show --at`, `rewind`, `fork`"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row: where it is measured, and what is true of it as it is configured there."""

    name: str
    place: Place | None
    process_crash: str
    server_crash: str
    power_cut: str
    shared_by: str
    looking_back: str


@dataclass(slots=True)
class Figures:
    """What was measured of a pattern; ``None`` where there is nothing of the kind."""

    steps_s: float | None = None
    p50: float | None = None
    p99: float | None = None
    many_s: float | None = None
    two_processes_s: float | None = None
    each: float | None = None
    trouble: str = ""


def patterns(places: Places) -> list[Pattern]:
    return [
        Pattern("stateless: `machine.decide` alone", None, "all", "-", "all", "anybody: it keeps nothing", "nothing"),
        Pattern("in memory", places.memory, "all", "-", "all", "one process", f"{_ON_RECORD}, while it lives"),
        Pattern("SQLite", places.sqlite, _NOTHING, "-", _NOTHING, "the processes of one host", _ON_RECORD),
        Pattern(
            "Redis, everysec",
            places.redis_everysec,
            _NOTHING,
            "nothing; up to 2 s while its disk is slow",
            "about the last second",
            _ANYBODY,
            _ON_RECORD,
        ),
        Pattern("Redis, always", places.redis, _NOTHING, _NOTHING, _NOTHING, _ANYBODY, _ON_RECORD),
        Pattern("PostgreSQL", places.postgres, _NOTHING, _NOTHING, _NOTHING, _ANYBODY, _ON_RECORD),
        Pattern(
            "tiered: memory, Redis (always), PostgreSQL",
            places.tiered,
            _NOTHING,
            _NOTHING,
            _NOTHING,
            _ANYBODY,
            f"{_ON_RECORD}, in either tier",
        ),
    ]


def decide_alone(steps: int) -> list[float]:
    """The seconds of each decision; nothing is kept."""
    machine = Machine(WORKING)
    context = EvaluationContext({**DATA, "until": 2, "count": 1}, Event("again"), {})
    took = []
    for _ in range(steps):
        began = time.perf_counter()
        machine.decide("working", "again", context)
        took.append(time.perf_counter() - began)
    return took


def step_by_step(place: Place, steps: int) -> list[float]:
    """The seconds of each step of one agent, from one commit to the next."""
    url, moments = place.fresh(), dict[int, float]()

    def observe(head: Any) -> None:
        moments.setdefault(head.version, time.perf_counter())

    async def drive() -> None:
        async with Runner(open_store(url), actions=[work], observe=observe) as runner:
            agent = await runner.start(WORKING, data={**DATA, "until": steps})
            place.settle()
            moments.clear()
            await runner.send(agent.id, "go")

    asyncio.run(drive())
    ordered = sorted(moments)
    return [moments[after] - moments[before] for before, after in pairwise(ordered)]


def two_writers(place: Place, sizes: Sizes) -> float:
    """Seconds in which two processes, which began at once, have taken all their steps."""
    url = place.fresh()
    with ExitStack() as stack:
        command = [sys.executable, "-m", "benchmarks.writer"]
        writers = [stack.enter_context(Dialogue(command)) for _ in range(2)]
        for writer in writers:
            writer.ask("make", url=url, agents=sizes.writers_agents, steps=sizes.steps_each)
        place.settle()
        for writer in writers:
            writer.tell("drive")
        answers = [writer.hear() for writer in writers]
    return float(max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers))


def measured(all_patterns: list[Pattern], sizes: Sizes) -> dict[str, Figures]:
    """The patterns take turns at each work."""
    figures = {pattern.name: Figures() for pattern in all_patterns}
    _one_agent(all_patterns, figures, sizes)
    kept = {pattern.name: pattern.place for pattern in all_patterns if pattern.place is not None}
    turns = _each(kept, figures, lambda place: drive_many(place.fresh(), sizes, settle=place.settle), sizes)
    for name, seconds in turns.items():
        figures[name].many_s = sizes.agents * sizes.steps_each / seconds
    shared = {name: place for name, place in kept.items() if place.name != "memory"}
    turns = _each(shared, figures, lambda place: two_writers(place, sizes), sizes)
    for name, seconds in turns.items():
        figures[name].two_processes_s = 2 * sizes.writers_agents * sizes.steps_each / seconds
    for name, place in kept.items():
        try:
            figures[name].each = crowd_of(place, sizes).each
        except Exception as error:
            figures[name].trouble = reason(error)
    return figures


def _each(
    kept: dict[str, Place], figures: dict[str, Figures], work_on: Callable[[Place], float], sizes: Sizes
) -> dict[str, float]:
    turns = take_turns({name: partial(work_on, place) for name, place in kept.items()}, runs=sizes.runs)
    for name, trouble in turns.reasons.items():
        figures[name].trouble = trouble
    return turns.medians


def _one_agent(all_patterns: list[Pattern], figures: dict[str, Figures], sizes: Sizes) -> None:
    latencies: dict[str, list[float]] = {pattern.name: [] for pattern in all_patterns}

    def turn(pattern: Pattern) -> float:
        if pattern.place is None:
            took = decide_alone(sizes.memory_steps)
        else:
            took = step_by_step(pattern.place, sizes.durable_steps)
        latencies[pattern.name] += took
        return sum(took) / len(took)

    turns = take_turns({pattern.name: partial(turn, pattern) for pattern in all_patterns}, runs=sizes.runs)
    for name, seconds in turns.medians.items():
        figures[name].steps_s = 1 / seconds
        figures[name].p50, figures[name].p99 = (percentile(latencies[name], percent) for percent in (50, 99))
    for name, trouble in turns.reasons.items():
        figures[name].trouble = trouble


def speed_table(all_patterns: list[Pattern], figures: dict[str, Figures], sizes: Sizes) -> str:
    head = (
        f"| pattern | steps/s, one agent | p50 us | p99 us | steps/s, {sizes.agents} agents | steps/s, two processes | "
        "a waiting agent |\n|---|--:|--:|--:|--:|--:|--:|\n"
    )
    return head + "\n".join(_speed_line(pattern, figures[pattern.name]) for pattern in all_patterns)


def _speed_line(pattern: Pattern, of: Figures) -> str:
    cells = [
        _number(of.steps_s),
        _number(of.p50 and of.p50 * 1e6, 1 if pattern.place is None else 0),
        _number(of.p99 and of.p99 * 1e6, 1 if pattern.place is None else 0),
        _number(of.many_s),
        _number(of.two_processes_s),
        "-" if of.each is None else f"{of.each:,.0f} B",
    ]
    return f"| {pattern.name}{f' ({of.trouble})' if of.trouble else ''} | {' | '.join(cells)} |"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def promise_table(all_patterns: list[Pattern]) -> str:
    head = (
        "| pattern | a process crash costs | a server crash | a power cut | may be shared by | looking back |\n"
        "|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {each.name} | {each.process_crash} | {each.server_crash} | {each.power_cut} | {each.shared_by} | "
        f"{each.looking_back} |"
        for each in all_patterns
    )


def words(sizes: Sizes) -> str:
    """What the two tables do not say by themselves."""
    return f"""All stores are event-sourced: a row of history for each step says what it changed, and the rest is a
cache of that, so there is no slower mode for those who want to look back. p50 and p99 are those of one step, from one
commit to the next, of an agent that runs alone. "{sizes.agents} agents" are driven at once by one process; "two
processes" drive {sizes.writers_agents} each in one store. A waiting agent has taken its first steps and weighs what the
store takes for it, in RAM where the store is RAM. Stateless is the decision alone: whoever calls keeps the state, and
the rest of a step is not in that figure.

What a power cut costs is as configured here: SQLite in WAL with synchronous FULL, PostgreSQL with fsync and
synchronous_commit on, Redis with `appendonly yes` and the named `appendfsync`; and only where the disk keeps what it
says that it has. A failover of Redis can lose acknowledged steps under any policy. [docs/stores.md](../docs/stores.md)
helps to choose."""
