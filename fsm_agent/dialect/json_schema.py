"""The JSON Schema in a declaration: which keywords it may use, and where schemas are inside a schema.

JSON Schema ignores a misspelt keyword, and so would silently allow everything. A schema cannot refer to anything
outside the declaration: there is no ``$id``, and ``$ref`` only refers to its own ``$defs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, some, subject
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened

_ONE_SCHEMA: Final = frozenset(
    {"items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
    | {"not", "if", "then", "else"}
)
_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED_SCHEMAS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_VALUES: Final = frozenset(
    {"type", "enum", "const", "default", "$ref", "format", "pattern", "minLength", "maxLength", "required"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "dependentRequired"}
    | {"minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties"}
    | {"title", "description", "examples", "$comment", "deprecated", "readOnly", "writeOnly"}
    | {"contentEncoding", "contentMediaType", "discriminator"}
)
KEYWORDS: Final = sorted(_ONE_SCHEMA | _SCHEMAS | _NAMED_SCHEMAS | _VALUES)
TYPES: Final = ("string", "integer", "number", "boolean", "object", "array", "null")


def note_keywords(context: ReadContext, schema: Json, path: Path) -> bool:
    """Note unknown keywords in ``schema`` and in the schemas inside it. Returns whether all are known."""
    before = len(context.findings)
    for inner, where in _schemas(schema, path):
        for key in inner:
            if key not in KEYWORDS and not key.startswith("x-"):
                message = f"{shortened(key)} is not a JSON Schema keyword{context.guess(key, KEYWORDS)}"
                context.note(Code.BAD_SCHEMA, message, (*where, key), at_key=True)
        if "type" in inner:
            _note_type(context, inner["type"], (*where, "type"))
        if not str(inner.get("$ref", "#")).startswith("#"):
            message = f"`$ref` can only point inside its own field, such as #/$defs/x, and not to {inner['$ref']!r}"
            context.note(Code.BAD_SCHEMA, message, (*where, "$ref"))
    return len(context.findings) == before


def refers(schema: Json) -> bool:
    """Whether ``schema`` or a schema inside it refers to another one."""
    return any("$ref" in inner for inner, _ in _schemas(schema, ()))


def _schemas(schema: Json, path: Path) -> Iterator[tuple[Mapping[str, Json], Path]]:
    """The schema and all schemas inside it that are mappings, with their paths."""
    if not isinstance(schema, Mapping):
        return
    yield schema, path
    for key, value in schema.items():
        where = (*path, key)
        if key in _ONE_SCHEMA:
            yield from _schemas(value, where)
        elif key in _SCHEMAS and isinstance(value, list):
            for index, each in enumerate(value):
                yield from _schemas(each, (*where, index))
        elif key in _NAMED_SCHEMAS and isinstance(value, Mapping):
            for name, each in value.items():
                yield from _schemas(each, (*where, name))


def _note_type(context: ReadContext, value: Json, path: Path) -> None:
    for name in value if isinstance(value, list) else [value]:
        if name is None:
            context.note(Code.UNKNOWN_TYPE, 'in a list of types, null is a text: write "null" in quotes', path)
        elif isinstance(name, str) and name.endswith("?"):
            message = f'`?` belongs to the short form; in JSON Schema write {subject(path)}: [{name[:-1]}, "null"]'
            context.note(Code.UNKNOWN_TYPE, message, path)
        elif name not in TYPES:
            guess = context.guess(name, TYPES) if isinstance(name, str) else ""
            message = f"{shortened(name)} is not a type of JSON Schema{guess}; there are {some(TYPES)}"
            context.note(Code.UNKNOWN_TYPE, message, path)
