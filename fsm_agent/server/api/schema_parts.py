"""The parts that JSON Schemas are made of."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fsm_agent.data.arguments import LONGEST_PAGE
from fsm_agent.domain.agent import LONGEST_ID
from fsm_agent.domain.json import Json, Schema

#: versions and times: what a double holds exactly
_LARGEST: Final = 2**53 - 1

AGENT_ID: Final[Schema] = {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ID - 1}}}$"}
VERSION: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": _LARGEST}
LIMIT: Final[Schema] = {
    "type": "integer",
    "minimum": 1,
    "maximum": LONGEST_PAGE,
    "default": 50,
    "description": "How many at most.",
}
#: names of workflows, states, events and people
NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 256}
TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
ANYTHING: Final[Schema] = {}
NUMBERED: Final[Schema] = {"type": "integer", "minimum": 1}


def ref(name: str, what: str = "") -> Schema:
    found: Schema = {"$ref": f"#/components/schemas/{name}"}
    return {**found, "description": what} if what else found


def said(schema: Schema, what: str) -> Schema:
    return {**schema, "description": what}


def or_null(schema: Schema) -> Schema:
    """The schema with null allowed, as OpenAPI 3.1 says it: by a second type if it has one, else by an alternative."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    inner = {name: value for name, value in schema.items() if name != "description"}
    outer = {name: value for name, value in schema.items() if name == "description"}
    return {"anyOf": [inner, {"type": "null"}], **outer}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": dict(items)}


def enum(values: type[StrEnum], what: str) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values], "description": what}


def object_of(properties: Mapping[str, Schema], what: str, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these fields; all but ``optional`` are always there."""
    fields: dict[str, Json] = {name: dict(schema) for name, schema in properties.items()}
    document: dict[str, Json] = {"type": "object", "properties": fields, "description": what}
    if required := [name for name in properties if name not in optional]:
        document["required"] = required
    return document
