"""Names and ids of controls.

A control is called by the JSON Pointer of its value, which begins with a slash, so that any property may be called
anything. What else a form says of a value has the same pointer behind a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from fsm_agent.data.delta import escape, segments

#: what was typed: the name of a control -> the texts that were sent under it
Typed: TypeAlias = Mapping[str, tuple[str, ...]]

#: names of the buttons that change the rows of a list, and add or remove an optional object; their value is a pointer
ADD: Final = "_add"
REMOVE: Final = "_remove"

#: what a ticked box sends
TICKED: Final = "on"

_LONGEST_INDEX: Final = 7

#: characters that a browser would change in a name on the way
_UNSENDABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def inside(pointer: str, key: str | int) -> str:
    """The pointer of a part."""
    return f"{pointer}/{escape(key)}"


def keys(pointer: str) -> list[str]:
    return segments(pointer)[1:]


def is_index(key: str) -> bool:
    """Whether a key is the number of a row, written as we write it."""
    return key.isascii() and key.isdecimal() and len(key) < _LONGEST_INDEX and str(int(key)) == key


def json_name(pointer: str) -> str:
    """The control that holds a value as JSON: of a field without another control, or of a value that does not fit the
    control of its field."""
    return f"json:{pointer}"


def null_name(pointer: str) -> str:
    """The box that says null."""
    return f"null:{pointer}"


def given_name(pointer: str) -> str:
    """Says that an optional object, an empty text or an empty list is there."""
    return f"given:{pointer}"


def row_name(pointer: str) -> str:
    """Says that a list has this row, whatever its controls send."""
    return f"row:{pointer}"


def zone_name(pointer: str) -> str:
    """The offset that a time is meant with."""
    return f"zone:{pointer}"


def is_sendable(name: str) -> bool:
    """Whether a property can be in the name of a control."""
    return _UNSENDABLE.search(name) is None


def element_id(prefix: str, pointer: str, part: str = "") -> str:
    """An id that no other pointer, and no other prefix, has on the same page. Ids have no blanks, since attributes list
    them with blanks between."""
    words = [_id_word(prefix), *map(_id_word, keys(pointer))]
    return "-".join([*words, f"_{part}"] if part else words)


def _id_word(text: str) -> str:
    return re.sub("[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", text)


def first(typed: Typed, name: str) -> str:
    """The text of a control; an empty one if it sent nothing."""
    return typed.get(name, ("",))[0]


def row_count(typed: Typed, pointer: str) -> int:
    """How many rows of a list were sent, counted from 0 without a gap."""
    count = 0
    while row_name(inside(pointer, count)) in typed:
        count += 1
    return count
