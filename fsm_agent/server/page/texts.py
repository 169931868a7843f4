"""Texts as a page shows them, whatever is in them: what people cannot see or what would change the direction of what
stands around it is named, and what is long is cut."""

from __future__ import annotations

import json
import re
from typing import Final

import htpy as h

from fsm_agent.domain.json import Json

#: characters of terminals, half characters, and those that turn the text around them
_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
#: characters of a value on a line of its own
LONGEST_LINE: Final = 120


def visible(text: str) -> str:
    """A text in which each character that steers others is shown by its number, as ``⟨U+001B⟩``."""
    return _STEERING.sub(_number, text.replace("\r\n", "\n"))


def _number(found: re.Match[str]) -> str:
    return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(found[0]):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def isolated(text: str) -> h.Node:
    """A text within a line: its direction is its own affair."""
    return h.bdi[visible(text)]


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """A text on one line, cut if it is long. Of a very long one only the beginning is looked at."""
    words = visible(" ".join(text[: 4 * longest].split()))
    is_cut = len(text) > 4 * longest or len(words) > longest
    return f"{words[: longest - 1].rstrip()}…" if is_cut else words


def brief(value: Json, longest: int = LONGEST_LINE) -> str:
    """A value on one line: a text as it is, all else as JSON; how much there is, if that is long."""
    match value:
        case str():
            return one_line(value, longest)
        case list() | dict() if not fits(value, longest):
            return counted(value)
        case _:
            return visible(json.dumps(value, ensure_ascii=False))


def fits(value: Json, longest: int) -> bool:
    """Whether a value can stand on a line of about so many characters."""
    return _room_after(value, longest) >= 0


def _room_after(value: Json, room: int) -> int:
    """How many of so many characters a value leaves, about; it is looked at only until there is no room left."""
    match value:
        case str():
            return room - len(value)
        case list() | dict() if len(value) > room:
            return -1
        case list() | dict():
            parts = [*value, *value.values()] if isinstance(value, dict) else value
        case _:
            return room - 1
    for part in parts:
        if room >= 0:
            room = _room_after(part, room)
    return room


def counted(value: list[Json] | dict[str, Json]) -> str:
    """How many parts a value has."""
    noun = "item" if isinstance(value, list) else "field"
    return f"{len(value):,} {noun}{'' if len(value) == 1 else 's'}"
