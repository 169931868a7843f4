"""JSON and JSON Schema as plain Python values: the few facts about them that every layer needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

#: A value that JSON can carry: None, bool, int (64 bits), float (finite), str, list, dict with str keys.
Json: TypeAlias = Any
#: A JSON Schema (draft 2020-12) as a mapping.
Schema: TypeAlias = Mapping[str, Any]

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

#: Schema keywords that explain and never decide.
_ANNOTATIONS: Final = frozenset({"description", "title", "examples", "$comment"})
_MAPS_OF_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_PLAIN_VALUES: Final = frozenset({"default", "enum", "const"})


#: up to here every integer is a number of its own
_EXACT: Final = 2**53


def is_inexact(value: Json) -> bool:
    """Whether ``value`` is an integer to which no number is equal, so that as a number it would be another one."""
    return type(value) is int and not -_EXACT <= value <= _EXACT and int(float(value)) != value


def is_nullable(schema: Schema) -> bool:
    """Whether null satisfies ``schema``, as far as ``const``, ``enum``, ``type`` and unions tell."""
    if "const" in schema:
        return schema["const"] is None
    if "enum" in schema and None not in schema["enum"]:
        return False
    kind = schema.get("type")
    if kind is not None:
        return kind == "null" or (isinstance(kind, (list, tuple)) and "null" in kind)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return any(is_nullable(branch) for branch in schema[union])
    return "$ref" not in schema


def is_required(schema: Schema) -> bool:
    """Whether a field must be given: it has neither a default nor null to fall back on."""
    return "default" not in schema and not is_nullable(schema)


def object_schema(fields: Mapping[str, Schema]) -> dict[str, Json]:
    """The JSON Schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in fields.items()},
        "required": [name for name, schema in fields.items() if is_required(schema)],
        "additionalProperties": False,
    }


def without_annotations(schema: Json) -> Json:
    """``schema`` without what only explains it; a *property* that is called ``title`` stays."""
    if isinstance(schema, list):
        return [without_annotations(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    bare: dict[str, Json] = {}
    for key, value in schema.items():
        if key in _ANNOTATIONS:
            continue
        if key in _PLAIN_VALUES:
            bare[key] = value
        elif key in _MAPS_OF_SCHEMAS and isinstance(value, Mapping):
            bare[key] = {name: without_annotations(branch) for name, branch in value.items()}
        else:
            bare[key] = without_annotations(value)
    return bare
