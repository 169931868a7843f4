"""The limit of the data's size: the bytes of their JSON. Each step is checked without measuring everything again.

An upper bound of the size is known: the size at the last measurement, plus what was added since. What was removed or
replaced is not subtracted. Everything is measured again only if this bound exceeds the limit. So a step costs as much
as it changes, and a measurement is made only after as many bytes of changes as there was room left.
"""

import sys
from collections.abc import Mapping
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import ByteSize
from fsm_agent.domain.step import Delta
from fsm_agent.errors import DataTooLarge

#: the bound for data that were never measured
UNWEIGHED: Final = sys.maxsize
#: bytes of the longest character, which is an escape
_LONGEST_CHARACTER: Final = 6
#: Below this ``step_weight`` the values are not measured: six times the weight is an upper bound. An integer has weight
#: 0, but its place has weight 8, and it needs less than six times that.
_LIGHT: Final = 200

#: arguments: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan
_chunks: Final = c_make_encoder(None, None, encode_basestring, None, ":", ",", False, False, True)  # noqa: FBT003


class DataLimit(NamedTuple):
    """A limit, as it was written and in bytes."""

    text: str
    bytes: int

    @classmethod
    def of(cls, size: ByteSize) -> "DataLimit":
        return cls(size.text, size.bytes)

    def admitted(
        self, known: int, delta: Delta, weight: int, before: Mapping[str, Json], after: Mapping[str, Json]
    ) -> int:
        """An upper bound of the size after ``delta``. ``weight`` is its ``step_weight``, and ``known`` is the bound for
        ``before``. Raises ``DataTooLarge`` if the data are too large and larger than before; so an agent that was too
        large already can go on."""
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
        """Raises ``DataTooLarge`` if ``values`` together are too large."""
        if (whole := json_bytes(values)) > self.bytes:
            heaviest = max(values, key=lambda name: json_bytes(values[name]))
            raise DataTooLarge(heaviest, json_bytes(values[heaviest]), whole, self.text)

    def require_of(self, name: str, value: Json) -> Json:
        """Returns ``value``, which is called ``name``; raises ``DataTooLarge`` if it is too large alone."""
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
    """The bytes of ``value`` as compact JSON in UTF-8."""
    text = "".join(_chunks(value, 0))
    return len(text) if text.isascii() else len(text.encode())


def added_bytes(delta: Delta) -> int:
    """An upper bound of the bytes that ``delta`` adds to the data; what it removes is not subtracted."""
    places = sum(_LONGEST_CHARACTER * len(pointer) + 4 for pointer in delta.set)
    return places + sum(map(json_bytes, delta.set.values())) + sum(map(json_bytes, delta.append.values()))
