"""How much data may weigh: the bytes of their JSON, bounded step by step without weighing the whole each time.

What an agent's data weigh at most is known from when they were weighed last, and from what was added since: what was
taken away or replaced is not counted. Only where that could be too much is the whole weighed. So a step costs what it
changes, and the whole is weighed again after as many bytes of changes as there was room left.
"""

import sys
from collections.abc import Mapping
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import ByteSize
from fsm_agent.domain.step import Delta
from fsm_agent.errors import DataTooLarge

#: of data that nobody has weighed yet
UNWEIGHED: Final = sys.maxsize
#: what a character takes at most, written as an escape
_LONGEST_CHARACTER: Final = 6
#: Up to this ``step_weight`` the values that are set are not looked at: six times the weight is a bound. An integer
#: counts for nothing there, and takes less than six times the eight that its place counts for.
_LIGHT: Final = 200

#: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan
_chunks: Final = c_make_encoder(None, None, encode_basestring, None, ":", ",", False, False, True)  # noqa: FBT003


class DataLimit(NamedTuple):
    """A bound, as it was written and in bytes."""

    text: str
    bytes: int

    @classmethod
    def of(cls, size: ByteSize) -> "DataLimit":
        return cls(size.text, size.bytes)

    def admitted(
        self, known: int, delta: Delta, weight: int, before: Mapping[str, Json], after: Mapping[str, Json]
    ) -> int:
        """What the data weigh at most after ``delta``, whose ``step_weight`` is ``weight``, where ``known`` is that of
        ``before``. Raises ``DataTooLarge`` if they are too heavy and heavier than before; so agents that were too heavy
        already can go on."""
        is_light = weight < _LIGHT and not delta.append
        added = _LONGEST_CHARACTER * weight if is_light else added_bytes(delta)
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
    places = sum(_LONGEST_CHARACTER * len(pointer) + 4 for pointer in delta.set)
    return places + sum(map(json_bytes, delta.set.values())) + sum(map(json_bytes, delta.append.values()))
