"""Merge policies: what two people make of one field at once becomes one value. Pure.

All policies share two laws: what only one side has changed is as that side left it, and else both sides show. They
compare as JSON does: 1 is 1.0, and neither is true.

    last     ours
    append   their list, and behind it the items that we have added to what we saw
    union    their list, with the items that we have added and without those that we have removed
    max      the larger number, or the later date; null loses
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import MergePolicy

#: base, theirs, ours -> what they become
Merge: TypeAlias = Callable[[Json, Json, Json], Json]


class Unmergeable(ValueError):
    """The policy cannot make one of these."""


def merged(policy: MergePolicy, base: Json, *, theirs: Json, ours: Json) -> Json:
    """What a field becomes that both have seen as ``base``. Raises ``Unmergeable``."""
    if _identity(ours) == _identity(base):
        return theirs
    if _identity(theirs) == _identity(base):
        return ours
    return POLICIES[policy](base, theirs, ours)


def _last(_base: Json, _theirs: Json, ours: Json) -> Json:
    return ours


def _append(base: Json, theirs: Json, ours: Json) -> Json:
    seen, made = _items(base), _items(ours)
    if _identity(made[: len(seen)]) != _identity(seen):
        raise Unmergeable
    return [*_items(theirs), *made[len(seen) :]]


def _union(base: Json, theirs: Json, ours: Json) -> Json:
    seen, made = set(map(_identity, _items(base))), {_identity(item): item for item in _items(ours)}
    kept = [item for item in _items(theirs) if (known := _identity(item)) in made or known not in seen]
    there = seen | set(map(_identity, kept))
    return [*kept, *(item for known, item in made.items() if known not in there)]


def _max(_base: Json, theirs: Json, ours: Json) -> Json:
    if theirs is None or ours is None:
        return ours if theirs is None else theirs
    if isinstance(theirs, str) or isinstance(ours, str):
        return ours if _moment(ours) > _moment(theirs) else theirs
    return ours if _number(ours) > _number(theirs) else theirs


def _items(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unmergeable
    return value


def _moment(value: Json) -> datetime:
    """When a date begins, or a datetime is."""
    if not isinstance(value, str):
        raise Unmergeable
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise Unmergeable from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unmergeable
    return value


def _identity(value: Json) -> Hashable:
    """Equal for what is equal as JSON, and for nothing else."""
    match value:
        case bool():
            return ("truth", value)
        case list():
            return ("list", tuple(map(_identity, value)))
        case dict():
            return ("object", frozenset((key, _identity(each)) for key, each in value.items()))
        case _:
            plain: Hashable = value
            return plain


POLICIES: Final[Mapping[MergePolicy, Merge]] = {"last": _last, "append": _append, "union": _union, "max": _max}
