"""Results of expressions: plain JSON for the data, text for a person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json

#: Python type of a CEL value that JSON cannot express -> its name
_KINDS: Final[Mapping[str, str]] = {"bytearray": "bytes", "datetime": "a timestamp", "timedelta": "a duration"}


def plain_scalar(value: Json) -> Json:
    """``value`` if it is plain JSON; it must be no list and no map. ``ValueError`` says what it is instead."""
    match value:
        case None | bool() | str():
            return value
        case int() if INT64_MIN <= value <= INT64_MAX:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise ValueError(f"it gives {value}, which no JSON number can be")
    kind = type(value).__name__
    raise ValueError(f"it gives {_KINDS.get(kind, kind)}, which JSON cannot hold: write string(...)")


def written(value: Json) -> str:
    """A value as a person writes it: ``none``, ``yes``, ``3`` for 3.0, ``a, b`` for a list."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case list():
            return ", ".join(map(written, value)) or "none"
        case dict():
            return ", ".join(f"{key}: {written(item)}" for key, item in value.items())
        case _:
            return str(value)


def holds_nul(value: Json) -> bool:
    """Whether any text inside ``value`` contains the character U+0000."""
    kind = type(value)
    if kind is str:
        return "\0" in value
    if kind is dict:
        return any("\0" in key for key in value) or _any_holds_nul(value.values())
    return kind is list and _any_holds_nul(value)


def _any_holds_nul(items: Iterable[Json]) -> bool:
    """The same for a list, in one loop: most items are small, and a call for each would take as long as CEL itself."""
    for item in items:
        kind = type(item)
        if kind is str:
            if "\0" in item:
                return True
        elif (kind is dict or kind is list) and holds_nul(item):
            return True
    return False
