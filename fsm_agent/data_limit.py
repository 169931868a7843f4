"""How much data may weigh: the bytes of their JSON, bounded step by step without weighing the whole each time.

What an agent's data weigh at most is known from when they were weighed last, and from what was added since: what was
taken away or replaced is not counted. Only where that could be too much is the whole weighed. So a step costs what it
changes, and the whole is weighed again after as many bytes of changes as there was room left.
"""

import sys
from collections.abc import Mapping
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Final, NamedTuple

from fsm_agent.errors import DataTooLarge
from fsm_agent.jsontypes import Json
from fsm_agent.state import ByteSize
from fsm_agent.step import Delta

#: of data that nobody has weighed yet
UNWEIGHED: Final = sys.maxsize
#: what a number, a truth value or null takes at most
_LONGEST_SCALAR: Final = 26
#: what a character takes at most, written as an escape
_LONGEST_CHARACTER: Final = 6
#: characters up to which a text is not looked at
_SHORT: Final = 100

#: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan
_chunks: Final = c_make_encoder(None, None, encode_basestring, None, ":", ",", False, False, True)  # noqa: FBT003


class DataLimit(NamedTuple):
    """A bound, as it was written and in bytes."""

    text: str
    bytes: int

    @classmethod
    def of(cls, size: ByteSize) -> "DataLimit":
        return cls(size.text, size.bytes)

    def admitted(self, known: int, delta: Delta, before: Mapping[str, Json], after: Mapping[str, Json]) -> int:
        """What the data weigh at most after ``delta``, where ``known`` is that of ``before``. Raises ``DataTooLarge``
        if they are too heavy and heavier than before; so agents that were too heavy already can go on."""
        added = added_bytes(delta)
        if known + added > self.bytes:
            known = json_bytes(before)
            if known + added > self.bytes:
                self._require_room(known, delta, after)
        return known + added

    def _require_room(self, known: int, delta: Delta, after: Mapping[str, Json]) -> None:
        whole = json_bytes(dict(after))
        if whole > self.bytes and whole > known:
            heaviest = max(delta.fields, key=lambda name: json_bytes(after[name]) if name in after else 0)
            raise DataTooLarge(heaviest, json_bytes(after[heaviest]), whole, self.text)

    def require(self, values: Mapping[str, Json]) -> None:
        """Raises ``DataTooLarge`` if ``values`` are too heavy, all together."""
        if (whole := json_bytes(values)) > self.bytes:
            heaviest = max(values, key=lambda name: json_bytes(values[name]))
            raise DataTooLarge(heaviest, json_bytes(values[heaviest]), whole, self.text)

    def require_of(self, name: str, value: Json) -> Json:
        """``value``, which would be ``name``; raises ``DataTooLarge`` if it is too heavy by itself."""
        kind = type(value)
        if kind is str:
            is_light = len(value) * _LONGEST_CHARACTER < self.bytes
        else:
            is_light = kind is not dict and kind is not list
        if not is_light and (weight := json_bytes(value)) > self.bytes:
            raise DataTooLarge(name, weight, weight, self.text)
        return value


DEFAULT_LIMIT: Final = DataLimit("10MB", 10_000_000)


def json_bytes(value: Json) -> int:
    """The bytes of ``value``, which is JSON, as compact JSON in UTF-8."""
    text = "".join(_chunks(value, 0))
    return len(text) if text.isascii() else len(text.encode())


def added_bytes(delta: Delta) -> int:
    """What ``delta`` adds at most to the bytes of the data; what it takes away is not counted."""
    added = 0
    for pointer, value in delta.set.items():
        kind = type(value)
        if kind is str:
            long = len(value) > _SHORT
            added += json_bytes(value) if long else _LONGEST_CHARACTER * len(value) + 2
        elif kind is dict or kind is list:
            added += json_bytes(value)
        else:
            added += _LONGEST_SCALAR
        # names of fields are ASCII; keys further inside may be anything
        added += len(pointer) + 4 if "/" not in pointer else _LONGEST_CHARACTER * len(pointer)
    if delta.append:
        for items in delta.append.values():
            added += json_bytes(items)
    return added
