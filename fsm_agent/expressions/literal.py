"""Literals, which are read without CEL; an ``assign`` is often one.

Only literals whose value is beyond doubt are read here: integers of 64 bits, ``true``, ``false`` and ``null``, and
strings without special characters.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json
from fsm_agent.domain.kinds import BOOLEAN, INTEGER, Kind

#: what CEL skips between tokens
SPACE: Final = " \t\r\n\f"
#: enough for 19 digits and some zeros before them; Python refuses to read thousands of digits
_MOST_DIGITS: Final = 100


class Literal(NamedTuple):
    """The value of an expression that is a literal."""

    value: Json
    kind: Kind


_WORDS: Final = {
    "true": Literal(value=True, kind=BOOLEAN),
    "false": Literal(value=False, kind=BOOLEAN),
    "null": Literal(value=None, kind=Kind("null")),
}


def read_literal(text: str) -> Literal | None:
    """The literal in ``text``; ``None`` if it is another kind of expression, or a literal that only CEL should read."""
    bare = text.strip(SPACE)
    if bare in _WORDS:
        return _WORDS[bare]
    digits = bare.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        number = int(bare)
        return Literal(number, INTEGER) if INT64_MIN <= number <= INT64_MAX else None
    inside = bare[1:-1]
    if bare in (f"'{inside}'", f'"{inside}"') and inside.isprintable() and not _has_special(inside):
        return Literal(inside, Kind("string"))
    return None


def _has_special(inside: str) -> bool:
    return "'" in inside or '"' in inside or "\\" in inside
