"""Text that PostgreSQL has no bytes for: U+0000 and halves of surrogate pairs, written with a mark before them.

JSON texts never need it, since ``codec.encode`` escapes both; names, keys and reasons do. The mark is a control
character, so that no JSON text has it raw.
"""

from __future__ import annotations

import re
from typing import Any, Final

from fsm_agent.stores import codec

_MARK: Final = "\x1a"
_ODD: Final = re.compile(f"[\0{_MARK}\ud800-\udfff]")
_MARKED: Final = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def kept(text: str | None) -> str | None:
    """``text`` as the database keeps it; different texts stay different."""
    if text is None or text.isprintable() or _ODD.search(text) is None:  # the first answer is the quicker one
        return text
    return _ODD.sub(lambda odd: f"{_MARK}{ord(odd[0]):04x}", text)


def told(text: Any) -> Any:
    """What was ``kept``; anything but text is as it is."""
    if not isinstance(text, str) or _MARK not in text:
        return text
    return _MARKED.sub(lambda marked: chr(int(marked[1], 16)), text)


def told_rows(text: str | None) -> list[list[Any]]:
    """Rows that the database gathered into one JSON text."""
    rows: list[list[Any]] = codec.decode(text) if text else []
    if "\\u001a" not in (text or ""):
        return rows
    return [[told(value) for value in row] for row in rows]
