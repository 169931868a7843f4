"""What is measured against the bars, in which order, under which heading."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from benchmarks import crowds, processes, steps, turns
from benchmarks.measure import Row
from benchmarks.places import Place, Places
from benchmarks.sizes import Sizes

Measure: TypeAlias = tuple[str, Callable[[], list[Row]]]


def groups(places: Places, sizes: Sizes) -> list[tuple[str, str, list[Measure]]]:
    """Title, what is to be said of it, and the measures, each by a name for what cannot be measured."""
    redis = _durable(places.redis, sizes)
    for name, measure in (("one agent", steps.one_agent_durable), ("many agents", steps.hundred_agents)):
        redis.append((f"{name}, {places.redis_everysec.name}", partial(measure, places.redis_everysec, sizes)))
    archived: Measure = ("archive, tiered", partial(crowds.archived_crowd, places.tiered, sizes))
    return [
        ("In memory", "The yardstick is `transitions` alone.", _in_memory(places, sizes)),
        (
            "SQLite",
            "Raw: `UPDATE` + `INSERT` in a transaction of their own by `apsw`, WAL, synchronous FULL.",
            [
                *_durable(places.sqlite, sizes),
                ("commands", partial(processes.commands_that_look, places.sqlite, sizes)),
            ],
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
        ("What costs extra where it is used", "Against a plain step of ours.", _extra(places, sizes)),
    ]


def _in_memory(places: Places, sizes: Sizes) -> list[Measure]:
    return [
        ("engine in memory", partial(steps.engine_in_memory, sizes)),
        ("conversation, memory", partial(steps.long_conversation, places.memory, sizes)),
        ("turns, memory", partial(turns.turns_of_a_conversation, places.memory, sizes)),
        ("waiting agents, memory", partial(crowds.waiting_crowd, places.memory, sizes)),
    ]


def _durable(place: Place, sizes: Sizes) -> list[Measure]:
    measures: list[tuple[str, Callable[[Place, Sizes], list[Row]]]] = [
        ("one agent, durable steps", steps.one_agent_durable),
        ("many agents", steps.hundred_agents),
        ("conversation", steps.long_conversation),
        ("turns", turns.turns_of_a_conversation),
        ("fresh process", processes.resumed_in_a_fresh_process),
        ("waiting agents", crowds.waiting_crowd),
    ]
    return [(f"{name}, {place.name}", partial(measure, place, sizes)) for name, measure in measures]


def _extra(places: Places, sizes: Sizes) -> list[Measure]:
    """Encryption, and effects on record."""
    measures: list[Measure] = []
    for place in (places.memory, places.sqlite, places.postgres, places.redis):
        measures.append((f"effect, {place.name}", partial(steps.effect_a_step, place, sizes)))
        measures.append((f"sealed, {place.name}", partial(steps.sealed_steps, place, sizes)))
    return measures
