"""What people type, read as JSON by the schema of its field. A terminal and a page read it by the same rules.

Each function returns the value, or raises ``ValueError`` with a sentence that says what was typed and what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, TypeAlias

from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import listed, shortened

#: gives a time without offset the offset that it was meant with
Locate: TypeAlias = Callable[[datetime], datetime]

#: JSON as it may be typed: for any field, and by type
_ANY_JSON: Final = '"text", 7, null'
_JSON: Final = {"array": '["text", 7]', "object": '{"field": "value"}'}
_WORDS: Final = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


def read_value(text: str, schema: Schema, locate: Locate) -> Json:
    """The value of a field, by its type."""
    if "enum" in schema:
        return read_choice(text, schema["enum"])
    match only_type(schema):
        case "string":
            return read_text(text, schema.get("format", ""), locate)
        case "integer" | "number" as kind:
            return read_number(text, kind)
        case "boolean":
            return read_truth(text)
        case kind:
            return read_json(text, json_example(kind))


def only_type(schema: Schema) -> str | None:
    """The only type of a field besides null; ``None`` if there are several."""
    kinds = schema.get("type")
    named = [kind for kind in (kinds if isinstance(kinds, list | tuple) else [kinds]) if kind != "null"]
    return named[0] if len(named) == 1 else None


def read_choice(text: str, choices: list[Json]) -> Json:
    for choice in choices:
        if text == (choice if isinstance(choice, str) else json.dumps(choice)):
            return choice
    raise ValueError(f"{shortened(text)} is none of the choices: {listed(map(str, choices))}")


def read_text(text: str, form: str, locate: Locate) -> str:
    """A text in the ``format`` of its schema."""
    match form:
        case "date":
            return read_date(text)
        case "date-time":
            return read_time(text, locate)
        case _:
            return text


def read_number(text: str, kind: str) -> int | float:
    """An ``integer`` or a ``number``. What is written without a point stays an integer, however long it is."""
    text = text.strip()
    try:
        return int(text) if kind == "integer" or text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        example = "3" if kind == "integer" else "3 or 2.5"
        raise ValueError(f"{shortened(text)} is not {_article(kind)}, such as {example}") from None


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def read_truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _WORDS:
        raise ValueError(f"{shortened(text.strip())} is neither yes nor no")
    return _WORDS[word]


def read_date(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise ValueError(f"{shortened(text)} is not a date; write it like 2027-01-31") from None


def read_time(text: str, locate: Locate) -> str:
    """A time with its offset; what is written without one gets it from ``locate``."""
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{shortened(text)} is not a time; write it like 2027-01-31 14:30") from None
    return (locate(typed) if typed.tzinfo is None else typed).isoformat()


def json_example(kind: str | None) -> str:
    """How a value of a type is written; ``None`` is any type."""
    return _JSON.get(kind or "", _ANY_JSON)


def read_json(text: str, example: str = _ANY_JSON) -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{shortened(text)} is not JSON ({error.msg}, {where}); write {example}") from None
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError:
        raise ValueError("the JSON has a number that is too long") from None
