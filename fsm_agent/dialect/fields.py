"""Readers of data and payloads: short forms of types, JSON Schema, and pydantic models.

A short form is a word, a list of one short form, or either with ``?``, which allows null: ``string?``, ``[integer]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fsm_agent.data.validation import Shape, schema_problem
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, described, subject
from fsm_agent.dialect.json_schema import note_keywords, refers
from fsm_agent.dialect.keys import FIELD, MODEL
from fsm_agent.dialect.pydantic_models import model_fields
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import listed, shortened
from fsm_agent.domain.workflow import BUILT_IN_EVENTS, RESERVED_PAYLOAD_FIELDS
from fsm_agent.errors import FsmAgentError

WORDS: Final[Mapping[str, Schema]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}

#: type in another language -> type here
_OTHER_LANGUAGES: Final[Mapping[str, str]] = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "dict": "object",
    "map": "object",
    "json": "object",
    "timestamp": "datetime",
}
_ANYTHING: Final = frozenset({"any", "Any", "unknown"})

#: limit of nested brackets in a short form
_DEEPEST_LIST: Final = 8


@dataclass(frozen=True, slots=True)
class Declared:
    """The value under ``data``: its fields, and its model."""

    fields: Mapping[str, Schema]
    model: str | None = None


def data(context: ReadContext, value: Json, path: Path) -> Declared | None:
    if isinstance(value, str):
        return _model(context, value, path)
    if not context.is_a(dict, value, path, "a mapping of fields, or module:Model"):
        return None
    return Declared(_fields(context, value, path))


def fields(context: ReadContext, value: Json, path: Path) -> dict[str, Schema] | None:
    if not context.is_a(dict, value, path, "a mapping of fields"):
        return None
    return _fields(context, value, path)


def events(context: ReadContext, value: Json, path: Path) -> dict[str, dict[str, Schema]] | None:
    if not context.is_a(dict, value, path):
        context.misspelt.add("events")  # no event is known now, so each use would look like a mistake
        return None
    found: dict[str, dict[str, Schema]] = {}
    for event, fields in value.items():
        where = (*path, event)
        if event in BUILT_IN_EVENTS:
            message = f"event `{event}` is built in, and cannot be declared: choose another name"
            context.note(Code.RESERVED_NAME, message, where, at_key=True)
        elif context.is_name(event, where):
            is_mapping = context.is_a(dict, fields, where, "a mapping of payload fields, {} for none")
            found[event] = _payload(context, fields, where) if is_mapping else {}
    return found


def _payload(context: ReadContext, fields: Mapping[str, Json], path: Path) -> dict[str, Schema]:
    found = _fields(context, fields, path)
    for name, schema in found.items():
        where = (*path, name)
        if name in RESERVED_PAYLOAD_FIELDS:
            message = f"a payload field cannot be called `{name}`: every event has `event.{name}` already"
            context.note(Code.RESERVED_NAME, message, where, at_key=True)
        if refers(schema):
            # The payload is validated as one object, so `#` in a field would refer to that object.
            context.note(Code.BAD_SCHEMA, f"payload field `{name}` cannot use `$ref`: write the schema out", where)
    return found


def _fields(context: ReadContext, fields: Mapping[str, Json], path: Path) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for name, declared in fields.items():
        if context.is_name(name, (*path, name), FIELD):
            found[name] = _field(context, declared, (*path, name))
    return found


def _field(context: ReadContext, declared: Json, path: Path) -> Schema:
    """The JSON Schema of one field. If it cannot be read, the schema allows everything."""
    match declared:
        case str():
            if (schema := _short(declared)) is not None:
                return schema
            message = (
                f"{shortened(declared)} is not a type{_meant(context, declared)}; "
                f"there are {listed(WORDS)}, [T] for a list, `?` for nullable, and JSON Schema"
            )
            context.note(Code.UNKNOWN_TYPE, message, path)
        case [inner]:
            return {"type": "array", "items": _field(context, inner, (*path, 0))}
        case dict():
            return _json_schema(context, declared, path)
        case _:
            message = f"{subject(path)} must be a type, such as string?, and is {described(declared)}"
            context.note(Code.WRONG_TYPE, message, path)
    return {}


def _meant(context: ReadContext, declared: str) -> str:
    """The short form that is meant by a type of another language, or by a misspelt one."""
    word = re.sub(r"[\[\]?]", "", declared)
    if word in WORDS and (found := re.fullmatch(r"\w+(\??)\[\](\??)", declared)):
        return f" (did you mean `[{word}{found[1]}]{found[2]}`?)"
    if word in _ANYTHING:
        return " (did you mean `{}`, which is anything?)"
    return context.guess(_OTHER_LANGUAGES.get(word, word), WORDS)


def _short(text: str, depth: int = 2 * _DEEPEST_LIST) -> dict[str, Json] | None:
    """The schema of a short form; ``depth`` limits its brackets and question marks."""
    if text in WORDS:
        return dict(WORDS[text])
    if depth == 0:
        return None
    if text.endswith("?"):
        inner = _short(text[:-1], depth - 1)
        return None if inner is None or isinstance(inner["type"], list) else {**inner, "type": [inner["type"], "null"]}
    if text[:1] == "[" and text[-1:] == "]":
        inner = _short(text[1:-1].strip(), depth - 1)
        return None if inner is None else {"type": "array", "items": inner}
    return None


def shortened_type(schema: Schema) -> Json:
    """The short form of a schema, or the schema itself if it has none. This is the inverse of reading."""
    for word, meaning in WORDS.items():
        if schema == meaning:
            return word
        if schema == {**meaning, "type": [meaning["type"], "null"]}:
            return f"{word}?"
    if schema.keys() == {"type", "items"} and schema["type"] == "array":
        inner = shortened_type(schema["items"])
        return f"[{inner}]" if isinstance(inner, str) and inner.count("[") < _DEEPEST_LIST else schema
    return schema


def _json_schema(context: ReadContext, schema: Mapping[str, Json], path: Path) -> Schema:
    if not note_keywords(context, schema, path):
        return {}
    if (problem := schema_problem(dict(schema))) is not None:
        context.note(Code.BAD_SCHEMA, f"{subject(path)} is not a valid JSON Schema: {problem}", path)
        return {}
    if "default" in schema:
        for problem in Shape(schema).problems(schema["default"], str(path[-1])):
            context.note(Code.BAD_DEFAULT, f"the default breaks the schema of {problem}", (*path, "default"))
    return schema


def _model(context: ReadContext, name: str, path: Path) -> Declared | None:
    if re.fullmatch(MODEL, name) is None:
        message = f"{shortened(name)} is no data: write a mapping of fields, or module:Model for a pydantic model"
        context.note(Code.MODEL, message, path)
        return None
    if context.resolve_model is None:
        module = name.partition(":")[0]
        message = (
            f"the model {name!r} is in a module that is not allowed: add {module!r} to `modules` under "
            "[tool.fsm-agent] in pyproject.toml, or name it with --module"
        )
        context.note(Code.MODEL, message, path)
        return None
    try:
        schema = context.resolve_model(name)
    except FsmAgentError as error:
        context.note(Code.MODEL, f"the model {name!r} cannot be used: {error}", path)
        return None
    if schema is None:
        message = f"the fields of the model {name!r} are unknown without importing it: --import looks at them"
        context.remark(Code.UNKNOWN_MODEL, message, path)
        return Declared({}, name)
    return _from_model(context, name, schema, path)


def _from_model(context: ReadContext, name: str, schema: Schema, path: Path) -> Declared | None:
    found = model_fields(schema)
    if found is None or not all(context.is_name(each, path, FIELD, at_key=False) for each in found):
        context.note(Code.MODEL, f"the model {name!r} is not an object with named fields", path)
        return None
    for each, field in found.items():
        if (problem := schema_problem(dict(field))) is not None:
            context.note(Code.MODEL, f"field `{each}` of the model {name!r} has no usable JSON Schema: {problem}", path)
    return Declared(found, name)
