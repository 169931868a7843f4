"""The JSON Schema of the dialect, for editors. It is made from the tables that documents are read by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.dialect import keys, scalars
from fsm_agent.dialect.builtins import BUILT_INS, BuiltIn
from fsm_agent.dialect.fields import WORDS
from fsm_agent.dialect.keys import Kind, Table
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.workflow import BUILT_IN_EVENTS, RESERVED_PAYLOAD_FIELDS

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final = r"^[0-9]{1,12}(ms|s|m|h|d)$"
_WORD: Final = rf"({'|'.join(WORDS)})"
#: a word, or a word in brackets; the reader checks how brackets nest
_SHORT: Final = rf"^\[*{_WORD}(\??\]|\?)*$"


def dialect_schema() -> dict[str, Json]:
    """A new copy of the JSON Schema (draft 2020-12) of a workflow document."""
    return {
        "$schema": _DRAFT,
        "title": "fsm-agent workflow",
        **_object(keys.WORKFLOW),
        "$defs": {
            "name": {"type": "string", "pattern": _whole(keys.NAME)},
            "fields": _mapping(keys.FIELD, _ref("type")),
            "type": _type(),
            "handlers": _mapping(keys.NAME, {"anyOf": [_ref("transitions"), {"type": "null"}]}),
            "transitions": _transitions(),
            "transition": _object(keys.TRANSITION),
            "states": _mapping(keys.NAME, _ref("state")) | {"minProperties": 1},
            "state": _object(keys.STATE) | _beside() | {"allOf": [_working(name) for name in BUILT_INS]},
            "ask": _object(keys.ASK),
            "retry": _object(keys.RETRY),
            "limits": _object(keys.LIMITS),
            "conversation": _object(keys.CONVERSATION),
            "progress": _object(keys.PROGRESS),
            "tool": _object(keys.TOOL),
            "approval": _object(keys.APPROVAL),
            "migration": _object(keys.MIGRATION),
            "data_changes": _object(keys.DATA_CHANGES),
            "property": _object(keys.PROPERTY) | _beside_rules(),
            "term": {"type": "string", "pattern": _whole(keys.TERM)},
            **{name: _arguments(built_in) for name, built_in in BUILT_INS.items()},
        },
    }


def _object(table: Table) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {name: {"description": key.says, **SCHEMAS[key.kind]} for name, key in table.items()},
        "required": [name for name, key in table.items() if key.required],
        "additionalProperties": False,
    }


def _beside() -> dict[str, Json]:
    """The keys that a key of a state needs or excludes."""
    needs = {key: [other] for key, other in keys.NEEDS.items()} | {"states": ["initial"]}
    return {"dependentRequired": needs, "dependentSchemas": _without(keys.EXCLUDES)}


def _beside_rules() -> dict[str, Json]:
    """That a property has exactly one rule, and what the keys of that rule need and exclude beside them."""
    strangers = {
        rule: tuple(key for key in keys.PROPERTY if key not in {rule, *beside, "description"})
        for rule, beside in keys.RULES.items()
    }
    return {
        "oneOf": [{"required": [rule]} for rule in keys.RULES],
        "dependentRequired": {key: [other] for key, other in keys.PROPERTY_NEEDS.items()},
        "dependentSchemas": _without({**strangers, **keys.PROPERTY_EXCLUDES}),
    }


def _without(excludes: Mapping[str, tuple[str, ...]]) -> dict[str, Json]:
    return {key: {"not": {"anyOf": [{"required": [other]} for other in others]}} for key, others in excludes.items()}


def _arguments(built_in: BuiltIn) -> dict[str, Json]:
    schema = _object(built_in.arguments) | {"description": built_in.says}
    if built_in.one_of:
        schema["oneOf"] = [{"required": [name]} for name in built_in.one_of]
    if built_in.apart:
        schema["not"] = {"required": list(built_in.apart)}
    return schema


def _working(name: str) -> dict[str, Json]:
    """What is allowed in a state with ``do: name``."""
    needs = {"required": ["with"]} if BUILT_INS[name].required or BUILT_INS[name].one_of else {}
    return {
        "if": {"properties": {"do": {"const": name}}, "required": ["do"]},
        "then": {"properties": {"with": _ref(name)}, **needs},
    }


def _mapping(name: str, value: Schema, *, but: frozenset[str] = frozenset()) -> dict[str, Json]:
    names: dict[str, Json] = {"pattern": _whole(name)}
    if but:
        names["not"] = {"enum": sorted(but)}
    return {"type": "object", "propertyNames": names, "additionalProperties": dict(value)}


def _type() -> dict[str, Json]:
    return {
        "description": f"{', '.join(WORDS)}, [T] for a list of T, `?` for nullable; or a JSON Schema.",
        "anyOf": [
            {"type": "string", "pattern": _SHORT},
            {"type": "array", "items": _ref("type"), "minItems": 1, "maxItems": 1},
            {"type": "object", "$ref": _DRAFT},
        ],
    }


def _transitions() -> dict[str, Json]:
    one = {"anyOf": [{"type": "string"}, _ref("transition")]}
    return {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/$defs/{name}"}


def _whole(pattern: str) -> str:
    return pattern if pattern.startswith("^") else f"^(?:{pattern})$"


_NAME_LIST: Final[Schema] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_TEXT: Final[Schema] = {"type": "string"}
_WRITTEN: Final[Schema] = {"type": "string", "pattern": r"\S"}
_BYTE_SIZE: Final[Schema] = {"type": "string", "pattern": r"^[0-9]{1,12}(B|kB|MB|GB)$"}
_LENGTH: Final[Schema] = {"type": "string", "pattern": _DURATION}
_POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}
_FIELD: Final[Schema] = {"type": "string", "pattern": _whole(keys.FIELD)}
#: a literal, or CEL
_VALUE: Final[Schema] = {"anyOf": [_WRITTEN, {"not": {"type": "string"}}]}
_CALLED: Final[Schema] = {"type": "string", "pattern": _whole(f"{keys.ACTION}|{keys.FUNCTION}")}

#: kind of a key -> JSON Schema of its value
SCHEMAS: Final[Mapping[Kind, Schema]] = {
    Kind.NAME: _ref("name"),
    Kind.TEXT: _TEXT,
    Kind.PROMPT: _WRITTEN,
    Kind.COUNT: _POSITIVE,
    Kind.AMOUNT: {"type": "number", "exclusiveMinimum": 0},
    Kind.TRUE: {"const": True},
    Kind.EXPRESSION: _WRITTEN,
    Kind.ACTION: {"anyOf": [{"enum": list(BUILT_INS)}, {"type": "string", "pattern": _whole(keys.ACTION)}]},
    Kind.DURATION: _LENGTH,
    Kind.BYTE_SIZE: _BYTE_SIZE,
    Kind.DELAY: _LENGTH,
    Kind.OUTCOME: {"enum": list(scalars.OUTCOMES)},
    Kind.VALUES: _mapping(keys.FIELD, {}),
    Kind.EXPRESSIONS: _mapping(keys.FIELD, _WRITTEN),
    Kind.ANSWERS: _NAME_LIST,
    Kind.ERROR_NAMES: _NAME_LIST,
    Kind.TARGET: _TEXT,
    Kind.INITIAL: _TEXT,
    Kind.HANDLERS: _ref("handlers"),
    Kind.TIMERS: _mapping(_DURATION, _ref("transitions")),
    Kind.RETRY: _ref("retry"),
    Kind.ASK: _ref("ask"),
    Kind.STATES: _ref("states"),
    Kind.LIMITS: _ref("limits"),
    Kind.VISITS: {"type": "object", "additionalProperties": _POSITIVE},
    Kind.MERGE: _mapping(keys.MERGED, {"enum": list(scalars.MERGE_POLICIES)}),
    Kind.DATA: {"anyOf": [_ref("fields"), {"type": "string", "pattern": _whole(keys.MODEL)}]},
    Kind.EVENTS: _mapping(
        keys.NAME, _mapping(keys.FIELD, _ref("type"), but=RESERVED_PAYLOAD_FIELDS), but=BUILT_IN_EVENTS
    ),
    Kind.MIGRATIONS: {"type": "array", "items": _ref("migration")},
    Kind.STATE_RENAMES: _mapping(keys.STATE_PATH, {"type": "string", "pattern": _whole(keys.STATE_PATH)}),
    Kind.DATA_CHANGES: _ref("data_changes"),
    Kind.FIELD_RENAMES: _mapping(keys.FIELD, {"type": "string", "pattern": _whole(keys.FIELD)}),
    Kind.FIELD_VALUES: _mapping(keys.FIELD, {}),
    Kind.FIELD_NAMES: _NAME_LIST,
    Kind.MUST: _mapping(keys.NAME, _ref("property")),
    Kind.TERMS: {"anyOf": [_ref("term"), {**_NAME_LIST, "items": _ref("term")}]},
    Kind.FUNCTION: {"type": "string", "pattern": _whole(keys.FUNCTION)},
    Kind.CONVERSATION: _ref("conversation"),
    Kind.STRATEGY: {"enum": list(scalars.STRATEGIES)},
    Kind.FIELDS: _ref("fields"),
    Kind.PROGRESS: _ref("progress"),
    Kind.CHILDREN: _mapping(keys.NAME, {"anyOf": [_TEXT, {"$ref": "#"}]}),
    Kind.ARGUMENTS: _mapping(keys.FIELD, {}),
    Kind.EVENT: _TEXT,
    Kind.FIELD: _FIELD,
    Kind.INTO: {"anyOf": [_FIELD, {**_NAME_LIST, "items": _FIELD}]},
    Kind.NAMES: _NAME_LIST,
    Kind.TOOLS: {"type": "array", "items": {"anyOf": [_CALLED, _ref("tool")]}, "minItems": 1},
    Kind.REQUIRED: {"enum": list(scalars.APPROVALS)},
    Kind.EFFECT_MODE: {"enum": list(scalars.EFFECT_MODES)},
    Kind.APPROVAL: _ref("approval"),
    Kind.URL: {"type": "string", "pattern": _whole(keys.URL)},
    Kind.METHOD: {"enum": list(scalars.METHODS)},
    Kind.HEADERS: _mapping(keys.HEADER, _WRITTEN),
    Kind.BODY: {"type": "object", "additionalProperties": _VALUE},
    Kind.VARIABLE: {"type": "string", "pattern": _whole(keys.VARIABLE)},
    Kind.STATUSES: {"type": "array", "items": {"type": "integer", "minimum": 100, "maximum": 599}, "minItems": 1},
    Kind.LANGUAGE_MODEL: _WRITTEN,
    Kind.ON_FAILURE: {"enum": list(scalars.ON_FAILURE)},
}
