"""Names that a workflow may have, made of any text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

#: of a name of the dialect
_LONGEST: Final = 64
#: what CEL takes for something else
_WORDS: Final = frozenset({"in", "true", "false", "null"})


def allowed_name(text: str, taken: Collection[str], *, otherwise: str) -> str:
    """``text`` as a name that is not ``taken``: accents are left out, and what else cannot stand in a name is ``_``.
    Of a text in which nothing can stand in a name, ``otherwise`` is made."""
    return _free(_plain(text, r"[^A-Za-z0-9_-]+") or otherwise, taken)


def allowed_field(text: str, taken: Collection[str], *, otherwise: str) -> str:
    """The same for what CEL has to spell: a field, or an action."""
    name = _plain(text, r"[^A-Za-z0-9_]+") or otherwise
    return _free(f"{name}_" if name in _WORDS else name, taken)


def _plain(text: str, odd: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text) and not re.search(odd, text):
        return text[:_LONGEST]
    letters = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    name = re.sub(odd, "_", letters).strip("_-")
    return f"_{name}"[:_LONGEST] if name[:1].isdigit() else name[:_LONGEST]


def _free(name: str, taken: Collection[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name[: _LONGEST - len(str(number)) - 1]}_{number}"
    return free
