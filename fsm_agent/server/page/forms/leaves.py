"""Values without parts: the text of a control for a value, and the value of a text, each the inverse of the other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fsm_agent.data.typed_values import read_date, read_json, read_number, read_time
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import listed, shortened
from fsm_agent.server.page.forms.controls import Choice, Control, Date, Lines, Number, Option, Text, Time

#: the offset of a time, unless another one is chosen
UTC: Final = "+00:00"

_OFFSET: Final = re.compile(r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\Z")
_SECONDS: Final = re.compile(r":00\Z")


def same_line_ends(text: str) -> str:
    """A browser sends the ends of lines as CR LF, whatever was typed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def written(value: Json) -> str:
    """JSON for people to read and to change."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: here 1 is neither true nor 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def text_of(control: Control, value: Json) -> str | None:  # noqa: PLR0911 - a line for each control
    """What a control holds for a value; ``None`` if it cannot hold it."""
    match control, value:
        case Text(), str():
            return None if "\0" in value or "\r" in value else value
        case Number(), int() | float() if not isinstance(value, bool):
            return json.dumps(value)
        case Date(), str():
            return value
        case Time(), str():
            return _SECONDS.sub("", _OFFSET.sub("", value))
        case Choice(options), _:
            return next((each.text for each in options if is_same(each.value, value)), None)
        case Lines(item), list():
            return _lines([text_of(item.control, each) for each in value])
        case _:
            return None


def zone_of(value: str) -> str:
    """The offset that stands at the end of a time; the usual one if it has none."""
    found = _OFFSET.search(value)
    return found[0] if found else UTC


def _lines(texts: Sequence[str | None]) -> str | None:
    if any(not text or text.isspace() or "\n" in text for text in texts):
        return None
    return "\n".join(filter(None, texts))


def value_of(control: Control, text: str, zone: str) -> Json:  # noqa: PLR0911 - a line for each control
    """The value of a text that is not empty. Raises ``ValueError`` with a sentence."""
    match control:
        case Number(is_integer):
            return read_number(text, "integer" if is_integer else "number")
        case Date():
            return read_date(text)
        case Time():
            return _time(text, zone)
        case Choice(options):
            return chosen(text, options)
        case Lines(item):
            return [value_of(item.control, line, zone) for line in text.split("\n") if line and not line.isspace()]
        case Text():
            return text
        case _:
            return read_json(text)


def chosen(text: str, options: Sequence[Option]) -> Json:
    for each in options:
        if each.text == text:
            return each.value
    raise ValueError(f"{shortened(text)} is none of the choices: {listed(each.label for each in options)}")


def _time(text: str, zone: str) -> str:
    """A time with its offset; ``Z`` stays as it is, so that a value that was not touched is not changed."""
    if _OFFSET.fullmatch(zone) is None:
        raise ValueError(f"{shortened(zone)} is not an offset; write it like +02:00")
    offset = datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
    read = read_time(text, lambda typed: typed.replace(tzinfo=offset))
    is_local = datetime.fromisoformat(text.strip()).tzinfo is None
    return f"{read.removesuffix(UTC)}Z" if zone == "Z" and is_local else read
