"""Schemas without what only says the same in another way: references, and unions with null or of one branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.kinds import DEEPEST, resolved

_UNIONS: Final = ("anyOf", "oneOf", "allOf")
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "$comment"})
#: keywords with schemas that judge the same value
_BESIDE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")


class Plain(NamedTuple):
    """A schema for what is not null, and whether null is allowed too."""

    schema: Schema
    is_nullable: bool


def plain(schema: Json, root: Schema) -> Plain:
    """The same schema, as far as it can be said simply. References are looked up in ``root``."""
    is_nullable = False
    for _ in range(DEEPEST):
        inner = _inner(schema, root)
        if inner is None:
            break
        is_nullable |= inner.is_nullable
        schema = inner.schema
    if not isinstance(schema, Mapping):
        return Plain({}, is_nullable)
    return Plain(schema, is_nullable or _allows_null(schema))


def _inner(schema: Json, root: Schema) -> Plain | None:
    """What a reference or a union stands for, with what is said beside it; ``None`` if it is neither."""
    if not isinstance(schema, Mapping):
        return None
    if "$ref" in schema:
        joined = _joined(schema, "$ref", resolved({"$ref": schema["$ref"]}, root))
        return None if joined is None else Plain(joined, is_nullable=False)
    for key in _UNIONS:
        if key in schema:
            branches = [each for each in schema[key] if key == "allOf" or not _is_null(each)]
            is_nullable = len(branches) < len(schema[key])
            joined = _joined(schema, key, branches[0]) if len(branches) == 1 else None
            if joined is not None or (branches and is_nullable):
                return Plain({**schema, key: branches} if joined is None else joined, is_nullable)
    return None


def _joined(schema: Schema, key: str, inner: Json) -> Schema | None:
    """The inner schema with what only explains the outer one; ``None`` if the outer one demands more."""
    beside = {name: value for name, value in schema.items() if name not in {key, "$defs"}}
    return {**inner, **beside} if isinstance(inner, Mapping) and beside.keys() <= _ANNOTATIONS else None


def _is_null(schema: Json) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return schema.get("type") == "null" or schema.get("enum", [schema.get("const", ...)]) == [None]


def _allows_null(schema: Schema) -> bool:
    """Whether null is one of several types or values."""
    kind = schema.get("type", ["null"] if "enum" in schema else [])
    values = schema.get("enum", [None, ...])
    return "const" not in schema and "null" in kind and kind != "null" and None in values and len(values) > 1


def types(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema allows besides null; none if it does not say."""
    named = schema.get("type", "object" if "properties" in schema else ())
    found = frozenset([named] if isinstance(named, str) else named) - {"null"}
    return frozenset({"number"}) if found == {"integer", "number"} else found


def declares_elsewhere(schema: Schema) -> bool:
    """Whether an object may have properties that are not under its ``properties``, and that somebody thought of."""
    if "patternProperties" in schema or isinstance(schema.get("additionalProperties"), Mapping):
        return True
    named = {*schema.get("required", ()), *_named_beside(schema)}
    return not named <= schema.get("properties", {}).keys()


def _named_beside(schema: Schema) -> set[str]:
    names: set[str] = set()
    for inner in _beside(schema):
        if isinstance(inner, Mapping):
            names |= {*inner.get("properties", ()), *inner.get("required", ()), *_named_beside(inner)}
            names |= {"\0"} if "$ref" in inner else set()  # whatever it names
    return names


def _beside(schema: Schema) -> Iterator[Json]:
    for key in _BESIDE:
        inner = schema.get(key, ())
        yield from inner if isinstance(inner, list) else [inner]
    yield from schema.get("dependentSchemas", {}).values()
