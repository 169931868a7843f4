"""What breaks a schema, and where: what the validator finds, and integers that would become other numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json, Schema, is_inexact
from fsm_agent.domain.kinds import item_schema, kind_of, property_schema

#: keys and indices that lead to a place in a value
Way: TypeAlias = tuple[str | int, ...]


class Violation(NamedTuple):
    """One way in which a value breaks a schema."""

    way: Way
    #: the keyword of the schema that refuses the value, and what it demands
    keyword: str
    demand: Json
    message: str


def violations_of(error: Any) -> Iterator[Violation]:
    """What an error of the validator says. A union says what its only possible branch says: of ``anyOf`` a schema and
    null, that is the schema."""
    branches = [each for each in getattr(error.kind, "context", ()) if not _is_of_type(each, error)]
    if len(branches) == 1 and branches[0]:
        for inner in branches[0]:
            yield from violations_of(inner)
    else:
        demand = getattr(error.kind, "value", None)
        yield Violation(tuple(error.instance_path), error.kind.name, demand, error.message)


def _is_of_type(branch: list[Any], union: Any) -> bool:
    """Whether a branch of a union is for values of another type."""
    return any(error.kind.name == "type" and error.instance_path == union.instance_path for error in branch)


def inexact_numbers(value: Json, schema: Schema) -> list[Violation]:
    """Integers without an equal float, where ``schema`` declares a number; ``value`` is valid besides."""
    return [
        Violation(
            way,
            "type",
            "number",
            f"{number} cannot be a `number`, which would make {int(float(number))} of it: declare an `integer`",
        )
        for way, number in _inexact(value, schema, (), schema)
    ]


def _inexact(value: Json, schema: Schema, way: Way, top: Schema) -> Iterator[tuple[Way, int]]:
    kind = type(value)
    if kind is int:
        if is_inexact(value) and kind_of(schema, top).name == "double":
            yield way, value
    elif kind is list:
        items = item_schema(schema, top)
        for index, item in enumerate(value):
            yield from _inexact(item, items, (*way, index), top)
    elif kind is dict:
        for name, item in value.items():
            yield from _inexact(item, property_schema(name, schema, top), (*way, name), top)
