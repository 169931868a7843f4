"""Literals: an assign is often one, and whoever can read it needs no CEL.

Only those are read here whose value nobody can doubt: integers of 64 bits, the three words, and strings in which no
character is special.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json
from fsm_agent.domain.kinds import BOOLEAN, INTEGER, Kind

#: what CEL skips between words
SPACE: Final = " \t\r\n\f"
#: Python refuses to read thousands of digits; 19 and some zeros before them are enough.
_MOST_DIGITS: Final = 100


class Literal(NamedTuple):
    """What an expression is that says its value."""

    value: Json
    kind: Kind


_WORDS: Final = {
    "true": Literal(value=True, kind=BOOLEAN),
    "false": Literal(value=False, kind=BOOLEAN),
    "null": Literal(value=None, kind=Kind("null")),
}


def read_literal(text: str) -> Literal | None:
    """The literal that ``text`` is; ``None`` if it is another expression, or one that only CEL should read."""
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
