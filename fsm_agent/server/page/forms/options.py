"""The options of a choice: how each is sent, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.page.forms.controls import Choice, Option
from fsm_agent.server.page.forms.names import is_sendable

#: up to so many options of at most so many characters are seen all at once
_FEW: Final = 5
_SHORT: Final = 24

YES_OR_NO: Final = (Option("true", "Yes", value=True), Option("false", "No", value=False))


def options_of(schema: Schema) -> tuple[Option, ...] | None:
    """The values that a schema lists, without null; ``None`` if it lists none."""
    titles: Mapping[int, str] = {}
    if "const" in schema:
        values: Sequence[Json] = [schema["const"]]
    elif "enum" in schema:
        values = schema["enum"]
    elif schema.get("type") == "null":
        values = [None]
    elif constants := _constants(schema):
        values = [each["const"] for each in constants]
        titles = {place: each["title"] for place, each in enumerate(constants) if isinstance(each.get("title"), str)}
    else:
        return None
    texts = _texts(values)
    return tuple(
        Option(text, titles.get(place) or label_of(value), value)
        for place, (text, value) in enumerate(zip(texts, values, strict=True))
    )


def choice(options: tuple[Option, ...]) -> Choice:
    is_short = len(options) <= _FEW and all(len(each.label) <= _SHORT for each in options)
    return Choice(options, is_list=not is_short)


def _constants(schema: Schema) -> Sequence[Schema]:
    """The branches of a union whose branches are constants, which is how a schema gives names to values."""
    branches = schema.get("oneOf", schema.get("anyOf", ()))
    are_constants = all(isinstance(each, Mapping) and "const" in each for each in branches)
    return branches if are_constants else ()


def _texts(values: Sequence[Json]) -> list[str]:
    """Texts as they are and all else as JSON; everything as JSON, if texts could be confused, or changed on the way."""
    plain = [value if isinstance(value, str) else json.dumps(value) for value in values]
    are_plain = len(set(plain)) == len(plain) and all(text and is_sendable(text) for text in plain)
    return plain if are_plain else [json.dumps(value) for value in values]


def label_of(value: Json) -> str:
    """A value as people read it."""
    if value == "":
        return "(empty)"
    if value is None or isinstance(value, bool):
        return {None: "No value", True: "Yes", False: "No"}[value]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
