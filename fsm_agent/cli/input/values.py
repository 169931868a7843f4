"""Values on the command line: JSON for programs, or a bare word for the only field that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import click

from fsm_agent.data import typed_values
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import listed, shortened

Result = TypeVar("Result")

_NAMES: Final = {"string": "text", "boolean": "yes or no", "array": "a JSON list", "object": "a JSON object",
                 "date": "a date, YYYY-MM-DD", "date-time": "a time, YYYY-MM-DD HH:MM"}  # fmt: skip
_BOUNDS: Final = {"minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def json_object(text: str) -> dict[str, Json]:
    """A JSON object as the value of an option, written out or as ``@file``."""
    return _read(text, _object)


def any_json(text: str) -> tuple[Json]:
    """Any JSON as the value of an option, written out or as ``@file``; in a tuple, so that null is a value too."""
    return (_read(text, typed_values.read_json),)


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


def _object(text: str) -> dict[str, Json]:
    value = typed_values.read_json(text, '{"field": value}')
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
    """A field that a person has typed on this machine: a time without offset is meant in its zone."""
    return typed_values.read_value(text, schema, datetime.astimezone)


def meaning(schema: Schema) -> str:
    """What a field accepts, in a few words."""
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    kind = typed_values.only_type(schema) or "JSON"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return " ".join([_NAMES.get(schema.get("format", ""), _NAMES.get(kind, kind)), *bounds])
