"""What is measured against the bars, in which order, under which heading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from benchmarks import crowds, http_requests, instructions, large, processes, proofs, steps, turns
from benchmarks.measure import Row
from benchmarks.place import Place
from benchmarks.places import Places
from benchmarks.sizes import Sizes
from benchmarks.workers import held, throughput, wake


class Measure(NamedTuple):
    """A name for what cannot be measured, and what returns the rows; ``is_quick`` if `make bench-quick` does, too."""

    name: str
    rows: Callable[[], list[Row]]
    is_quick: bool = False


#: Its title, what is to be said of it, and the measures.
Group: TypeAlias = tuple[str, str, list[Measure]]


def all_groups(places: Places, sizes: Sizes) -> list[Group]:
    redis = [
        *_durable(places.redis, sizes),
        _at(places.redis_everysec, sizes, "one agent", steps.one_agent_durable),
        _at(places.redis_everysec, sizes, "many agents", steps.hundred_agents),
    ]
    archived = Measure("archive, tiered", partial(crowds.archived_crowd, places.tiered, sizes))
    commands = Measure("commands", partial(processes.commands_that_look, places.sqlite, sizes), is_quick=True)
    return [
        ("In memory", "The yardstick is `transitions` alone.", _in_memory(places, sizes)),
        (
            "SQLite",
            "Raw: `UPDATE` + `INSERT` in a transaction of their own by `apsw`, WAL, synchronous FULL.",
            _durable(places.sqlite, sizes),
        ),
        (
            "PostgreSQL",
            "Raw: one prepared statement with the `UPDATE` and the `INSERT` by `psycopg`, fsync on.",
            _durable(places.postgres, sizes),
        ),
        ("Redis", "Raw: one `EVALSHA` with the compare-and-set, `HSET` and `RPUSH` by `redis`, same policy.", redis),
        (
            "Tiered",
            "Warm is Redis (always), which is the yardstick; cold is PostgreSQL.",
            [*_durable(places.tiered, sizes), archived],
        ),
        (
            "Processes",
            "From start to end, against an interpreter that does nothing.",
            [Measure("imports", partial(processes.imports, sizes), is_quick=True), commands],
        ),
        (
            "Large workflows",
            "A first check, a first drawing and a first proof in a process that has imported all it needs.",
            [
                Measure("large workflow", partial(large.large_workflow_rows, sizes)),
                Measure("proofs", partial(proofs.proof_rows, sizes)),
            ],
        ),
        (
            "Requests over HTTP",
            "Against a server with bare routes that say the raw statements, on the same uvicorn and starlette: "
            f"{http_requests.CONNECTIONS} connections at once. {sizes.asking:,} agents ask; a page is 50.",
            [_at(place, sizes, "requests", http_requests.http_requests) for place in (places.sqlite, places.postgres)],
        ),
        ("What costs extra where it is used", "Against a plain step of ours.", _extra(places, sizes)),
    ]


def quick_groups(places: Places, sizes: Sizes) -> list[Group]:
    """What of them is looked at while somebody makes the engine faster."""
    groups = [
        (title, said, [each for each in measures if each.is_quick])
        for title, said, measures in all_groups(places, sizes)
    ]
    return [group for group in groups if group[2]]


def worker_groups(places: Places, sizes: Sizes) -> list[Group]:
    """What `make bench-workers` measures."""
    servers, found = (places.postgres, places.redis), (places.sqlite, places.postgres, places.redis)
    return [
        (
            "Agents a second",
            "Against the worker as it was before `take`: each process looks who is due, claims up to 100 of them one "
            "by one, and looks again after a second. All processes are on the machine of the server.",
            [_at(place, sizes, "agents a second", throughput.agents_a_second) for place in servers],
        ),
        (
            "Wake",
            "A runner in another process starts agents and drives none; it rings the store's bell by itself.",
            [_at(place, sizes, "wake", wake.wake_latency) for place in servers],
        ),
        (
            "Among agents that are held",
            "Two parts of one database take turns: one where others are held, and one where none are.",
            [_at(place, sizes, "held", held.held_rows) for place in found],
        ),
    ]


def _in_memory(places: Places, sizes: Sizes) -> list[Measure]:
    return [
        Measure("engine in memory", partial(steps.engine_in_memory, sizes), is_quick=True),
        Measure("instructions", instructions.counted_rows, is_quick=True),
        Measure("conversation, memory", partial(steps.long_conversation, places.memory, sizes)),
        Measure("turns, memory", partial(turns.turns_of_a_conversation, places.memory, sizes)),
        Measure("waiting agents, memory", partial(crowds.waiting_crowd, places.memory, sizes)),
    ]


#: Where the quick rows are measured: name of the measure, names of places.
_QUICK: Final[Mapping[str, tuple[str, ...]]] = {
    "one agent": ("SQLite", "PostgreSQL", "Redis, always", "Redis, everysec"),
    "many agents": ("SQLite",),
    "fresh process": ("SQLite", "PostgreSQL", "Redis, always"),
    "waiting agents": ("SQLite",),
}


def _durable(place: Place, sizes: Sizes) -> list[Measure]:
    return [
        _at(place, sizes, "one agent", steps.one_agent_durable),
        _at(place, sizes, "many agents", steps.hundred_agents),
        _at(place, sizes, "conversation", steps.long_conversation),
        _at(place, sizes, "turns", turns.turns_of_a_conversation),
        _at(place, sizes, "fresh process", processes.resumed_in_a_fresh_process),
        _at(place, sizes, "waiting agents", crowds.waiting_crowd),
    ]


def _at(place: Place, sizes: Sizes, name: str, measure: Callable[[Place, Sizes], list[Row]]) -> Measure:
    is_quick = place.name in _QUICK.get(name, ())
    return Measure(f"{name}, {place.name}", partial(measure, place, sizes), is_quick=is_quick)


def _extra(places: Places, sizes: Sizes) -> list[Measure]:
    """Encryption, and effects on record."""
    measures = []
    for place in (places.memory, places.sqlite, places.postgres, places.redis):
        measures.append(_at(place, sizes, "effect", steps.effect_a_step))
        measures.append(_at(place, sizes, "sealed", steps.sealed_steps))
    return measures
