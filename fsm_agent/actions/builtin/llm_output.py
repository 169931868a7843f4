"""The output of a model as values; the schemas of the fields that it goes into give its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fsm_agent.actions.builtin.result import put
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.json import Json, Schema
from fsm_agent.llm.types import Reply

#: keywords of a schema that do not restrict a text
_OF_TEXT: Final = frozenset({"type", "default", "title", "description", "examples"})
#: keywords whose values are schemas by name, and keywords whose values are no schemas
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_PLAIN: Final = frozenset({"default", "enum", "const", "examples"})
_DEFINED: Final = "#/$defs/"


def output_schema(ctx: Context, into: str | Sequence[str] | None) -> Schema | None:
    """The schema of the output, as an object with all of the fields; ``None`` means plain text."""
    fields = [into] if isinstance(into, str) else into or []
    schemas = {field: scope_of(ctx).schema(field) for field in fields}
    if not fields or (isinstance(into, str) and _takes_any_text(schemas[into])):
        return None
    defined = {
        f"{field}.{name}": _moved(each, field)
        for field, schema in schemas.items()
        for name, each in schema.get("$defs", {}).items()
    }
    return {
        "type": "object",
        "properties": {
            field: _moved({key: each for key, each in schema.items() if key != "$defs"}, field)
            for field, schema in schemas.items()
        },
        "required": list(fields),
        "additionalProperties": False,
        **({"$defs": defined} if defined else {}),
    }


def put_output(ctx: Context, into: str | list[str] | None, reply: Reply) -> None:
    """Put the reply into its fields."""
    if reply.output is None:
        put(ctx, into, reply.text)
    else:
        put(ctx, list(reply.output), reply.output)


def _takes_any_text(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return "string" in ([kinds] if isinstance(kinds, str) else kinds) and schema.keys() <= _OF_TEXT


def _moved(schema: Json, field: str) -> Json:
    """The schema of a field, as a part of the whole schema: its references are adjusted to their new place."""
    if isinstance(schema, list):
        return [_moved(each, field) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved: dict[str, Json] = {}
    for key, each in schema.items():
        if key in _PLAIN:
            moved[key] = each
        elif key in _NAMED and isinstance(each, Mapping):
            moved[key] = {name: _moved(inner, field) for name, inner in each.items()}
        else:
            moved[key] = _pointed(each, field) if key == "$ref" else _moved(each, field)
    return moved


def _pointed(reference: Json, field: str) -> Json:
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return reference
    if reference.startswith(_DEFINED):
        return f"{_DEFINED}{field}.{reference.removeprefix(_DEFINED)}"
    return f"#/properties/{field}{reference[1:]}"
