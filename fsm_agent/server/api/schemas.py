"""JSON Schemas of what the API takes and gives; the document and the checks of requests share them.

Each schema that a program would name has a name, so that generated clients have few classes, with good names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.api.given_schemas import GIVEN
from fsm_agent.server.api.taken_schemas import TAKEN

_REF: Final = re.compile(r"#/components/schemas/(\w+)")
#: name -> schema, as the document lists them
SCHEMAS: Final[Mapping[str, Schema]] = {**GIVEN, **TAKEN}


def whole(schema: Schema) -> Schema:
    """A schema that a validator can read alone: with all that it refers to."""
    wanted: dict[str, Json] = {}
    names = _REF.findall(repr(schema))
    while names:
        name = names.pop()
        if name not in wanted:
            wanted[name] = SCHEMAS[name]
            names += _REF.findall(repr(SCHEMAS[name]))
    return {**schema, "components": {"schemas": wanted}} if wanted else schema


def choices(schema: Schema) -> Sequence[str]:
    """The values that a schema lists, itself or by its name; empty if it lists none."""
    named = _REF.search(str(schema.get("$ref", "")))
    return tuple((SCHEMAS[named[1]] if named else schema).get("enum", ()))
