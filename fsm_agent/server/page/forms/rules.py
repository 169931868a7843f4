"""What a field demands, in words that stand beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from fsm_agent.data.typed_values import json_example
from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.page.forms.controls import ABSENT, Choice, Control, Lines, Number, Raw, Text, Tick

_BOUNDS: Final = {"minimum": "at least", "exclusiveMinimum": "more than",
                  "maximum": "at most", "exclusiveMaximum": "less than"}  # fmt: skip
#: of a text in one line only a limit below this is said: hardly anybody comes near another
_TIGHT: Final = 20
#: an example or a default is cut to so many characters
_LONGEST: Final = 60


def rules_of(control: Control, schema: Schema, default: Json) -> str:
    """Short sentences; ``default`` is what the engine takes for a field that is left out."""
    return " ".join(each[:1].upper() + each[1:] + "." for each in _rules(control, schema, default))


def _rules(control: Control, schema: Schema, default: Json) -> Iterator[str]:
    match control:
        case Number():
            yield from _bounds(schema)
        case Text(_, is_line):
            yield from _lengths(
                schema,
                "minLength",
                "" if is_line and schema.get("maxLength", 0) > _TIGHT else "maxLength",
                "characters",
            )
        case Lines():
            yield "one on each line"
        case Raw(kind):
            yield f"written as JSON, such as {json_example(kind)}"
        case _:
            pass
    yield from _lengths(schema, "minItems", "maxItems", "items")
    examples = schema.get("examples")
    if isinstance(examples, list) and examples and not isinstance(control, Raw):
        yield f"for example {_shown(examples[0])}"
    if default not in (ABSENT, "") and not isinstance(control, Choice | Tick):
        yield f"left empty, it is {_shown(default)}"


def _bounds(schema: Schema) -> Iterator[str]:
    said = {key: f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema}
    if said and (said.keys() != {"minimum"} or schema["minimum"] != 0):
        yield " and ".join(said.values())


def _lengths(schema: Schema, least: str, most: str, noun: str) -> Iterator[str]:
    if schema.get(least, 0) > 1:
        yield f"at least {schema[least]} {noun}"
    if most in schema:
        yield f"at most {schema[most]} {noun}"


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
