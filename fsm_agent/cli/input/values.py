"""Values on the command line: JSON for programs, or a bare word for the only field that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, TypeVar

import click

from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import listed, shortened

Result = TypeVar("Result")

_WORDS: Final = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


_NAMES: Final = {"string": "text", "boolean": "yes or no", "array": "a JSON list", "object": "a JSON object",
                 "date": "a date, YYYY-MM-DD", "date-time": "a time, YYYY-MM-DD HH:MM"}  # fmt: skip
_BOUNDS: Final = {"minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def json_object(text: str) -> dict[str, Json]:
    """A JSON object as the value of an option, written out or as ``@file``."""
    return _read(text, _object)


def any_json(text: str) -> tuple[Json]:
    """Any JSON as the value of an option, written out or as ``@file``; in a tuple, so that null is a value too."""
    return (_read(text, _value),)


def _file_text(file: str) -> str:
    from pathlib import Path

    return Path(file).read_text(encoding="utf-8")


def _read(text: str, read: Callable[[str], Result]) -> Result:
    try:
        return read(_file_text(text[1:]) if text.startswith("@") else text)
    except OSError as error:
        raise click.BadParameter(f"{text[1:]!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"{text[1:]!r} is not UTF-8 text") from None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _value(text: str, example: str = '"text", 7, null') -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{shortened(text)} is not JSON ({error.msg}, {where}); write {example}") from None
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _object(text: str) -> dict[str, Json]:
    value = _value(text, '{"field": value}')
    if not isinstance(value, dict):
        raise ValueError(f'{shortened(text)} is not a JSON object; write {{"field": value}}')  # noqa: TRY004 - of people
    return value


def payload_of(value: str | None, event: str, schema: Schema) -> dict[str, Json]:
    """The payload that VALUE means for an event. A JSON object is the payload, no value is ``{}``, and any other value
    is read as the only required field. Raises ``click.ClickException``."""
    if value is None:
        return {}
    try:
        return _object(value)
    except ValueError:
        required = schema["required"]
    if len(required) != 1:
        raise click.ClickException(f"event {event!r} {_several(required, list(schema['properties']))}")
    [name] = required
    try:
        return {name: read_value(value, schema["properties"][name])}
    except ValueError as error:
        raise click.ClickException(f"{name}: {error}") from None


def _several(required: list[str], fields: list[str]) -> str:
    """Why one bare value is not enough."""
    if not fields:
        return "takes no field: leave VALUE out"
    many = f"requires {listed(required)}" if required else f"requires no field; it may have {listed(fields)}"
    return f'{many}: write a JSON object, such as {{"field": value}}'


def read_value(text: str, schema: Schema) -> Json:
    """A field that a person has typed, read by its type. Raises ``ValueError`` with a sentence."""
    if "enum" in schema:
        return _chosen(text, schema["enum"])
    match kind_of(schema):
        case "string":
            return _READ_FORMAT.get(schema.get("format", ""), str)(text)
        case "integer" | "number" as kind:
            return _number(text.strip(), kind)
        case "boolean":
            return _truth(text.strip())
        case _:
            return _json(text)


def kind_of(schema: Schema) -> str | None:
    """The only type of a field besides null; ``None`` if there are several."""
    kinds = schema.get("type")
    named = [kind for kind in (kinds if isinstance(kinds, list | tuple) else [kinds]) if kind != "null"]
    return named[0] if len(named) == 1 else None


def meaning(schema: Schema) -> str:
    """What a field accepts, in a few words."""
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    kind = kind_of(schema) or "JSON"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return " ".join([_NAMES.get(schema.get("format", ""), _NAMES.get(kind, kind)), *bounds])


def _chosen(text: str, choices: list[Json]) -> Json:
    for choice in choices:
        if text == (choice if isinstance(choice, str) else json.dumps(choice)):
            return choice
    raise ValueError(f"{shortened(text)} is none of the choices: {listed(map(str, choices))}")


def _number(text: str, kind: str) -> int | float:
    try:
        return int(text) if kind == "integer" or text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        example = "3" if kind == "integer" else "3 or 2.5"
        raise ValueError(f"{shortened(text)} is not {_article(kind)}, such as {example}") from None


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _truth(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError(f"{shortened(text)} is neither yes nor no")
    return _WORDS[text.lower()]


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise ValueError(f"{shortened(text)} is not a date; write it like {date.today().isoformat()}") from None  # noqa: DTZ011 - the day of the person who types


def _datetime(text: str) -> str:
    """A time without offset is read in the local time zone."""
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{shortened(text)} is not a time; write it like {_now()}") from None
    return (typed.astimezone() if typed.tzinfo is None else typed).isoformat()


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError(f"{shortened(text)} is not JSON, and this field takes nothing simpler") from None


_READ_FORMAT: Final = {"date": _date, "date-time": _datetime}
