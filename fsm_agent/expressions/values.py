"""What comes out of an expression: plain JSON for the data, words for a person."""

from __future__ import annotations

import math

from fsm_agent.jsontypes import INT64_MAX, INT64_MIN, Json


def plain_scalar(value: Json) -> Json:
    """``value``, which is no list and no map, if it is plain JSON; ``ValueError`` says what it is instead."""
    match value:
        case None | bool() | str():
            return value
        case int() if INT64_MIN <= value <= INT64_MAX:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise ValueError(f"it gives {value}, which no JSON number can be")
    raise ValueError(f"it gives a {type(value).__name__}, which is no JSON; write string(...)")


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
