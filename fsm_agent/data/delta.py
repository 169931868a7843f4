"""What changed, and how it adds up: data = fold(deltas).

Pointers are RFC 6901 without the leading slash: ``choice``, ``itinerary/legs/0``. Values are JSON, copied on the
way in (``own``), so that nobody outside can change what is committed.

A list that is only ever appended to is never written twice: a snapshot keeps what it was when it was last set
(its *base*), and the items since then are read from the deltas that appended them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json
from fsm_agent.domain.record import Snapshot
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.text import shortened
from fsm_agent.errors import DataInvalid

MAX_DEPTH: Final = 100
#: What a row costs to be read besides its delta; keeps the tail short for agents that change little.
_ROW_WEIGHT: Final = 24
_PLAIN_TYPES: Final[tuple[type[Any], ...]] = (int, float, dict, list)


@runtime_checkable
class Plain(Protocol):
    """Something that can say what it is in plain JSON, as drafts can."""

    def plain(self) -> Json: ...


def own(value: Json, where: str = "", depth: int = 0) -> Json:  # noqa: PLR0911 - a line for each kind of JSON
    """A private copy of ``value`` if it is JSON, integers within 64 bits and numbers finite; else ``DataInvalid``.

    Linear in the size of ``value``; ``where`` names the place in the message.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _own_text(value, where)
    if kind is bool or value is None:
        return value
    if kind is int and INT64_MIN <= value <= INT64_MAX:
        return value
    if kind is float and math.isfinite(value):
        return value
    if depth >= MAX_DEPTH:
        raise DataInvalid([f"{where or 'the value'} is nested deeper than {MAX_DEPTH} levels"])
    if kind is dict:
        return {_own_key(key, where): own(item, inside(where, key), depth + 1) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [own(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _own_odd(value, where, depth)


def _own_text(text: str, where: str) -> str:
    """Half of a surrogate pair is no text: no file and no database could keep it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataInvalid([f"{where or 'the value'} is no Unicode text: {error.reason}"]) from None
    return text


def _own_key(key: object, where: str) -> str:
    if isinstance(key, str):
        return _own_text(str.__str__(key), where)
    raise DataInvalid([f"{where or 'the value'} has the key {shortened(key)}, and a key must be a string"])


def _own_odd(value: Json, where: str, depth: int) -> Json:
    """The rare ones: drafts, subclasses of JSON types (enums among them), pydantic models, and what is not JSON."""
    where = where or "the value"
    if isinstance(value, Plain):
        return own(value.plain(), where, depth)
    if callable(dump := getattr(value, "model_dump", None)):
        return own(dump(mode="json"), where, depth)
    if isinstance(value, str):
        return _own_text(str.__str__(value), where)  # of an enum its value, where `str` gives the name
    for plain in _PLAIN_TYPES:
        if isinstance(value, plain) and type(value) is not plain:
            return own(plain(value), where, depth)
    if isinstance(value, int):
        raise DataInvalid([f"{where} is {shortened(value)}, and an integer must fit 64 bits"])
    if isinstance(value, float):
        raise DataInvalid([f"{where} is {value}, and a number must be finite"])
    raise DataInvalid(
        [f"{where} is {_told(value)} of type {type(value).__name__}, and only JSON can be kept: "
         "none, booleans, numbers, strings, lists, dicts"]
    )  # fmt: skip


def _told(value: object) -> str:
    """The value, unless all that is known of it is where it lies in memory."""
    return "an object" if type(value).__repr__ is object.__repr__ else shortened(value)


def inside(where: str, key: str) -> str:
    """What a value is called in a sentence that stands under ``key`` of what is called ``where``."""
    return f"{where}.{key}" if where else key


def place(pointer: str) -> str:
    """A pointer as a person writes it: ``items/0/name`` -> ``items[0].name``."""
    first, *rest = segments(pointer)
    return first + "".join(f"[{part}]" if part.isdigit() else "[]" if part == "-" else f".{part}" for part in rest)


def escape(key: str | int) -> str:
    """One key as a segment of a pointer."""
    text = str(key)
    return text.replace("~", "~0").replace("/", "~1") if "~" in text or "/" in text else text


def segments(pointer: str) -> list[str]:
    """The keys of a pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def apply(values: dict[str, Json], delta: Delta) -> None:
    """Change ``values`` in place as ``delta`` says. Linear in the delta, whatever the size of the data."""
    for pointer, value in delta.set.items():
        if "/" not in pointer:
            values[pointer] = value
        else:
            container, key = _place(values, pointer)
            container[key] = value
    for pointer in delta.remove:
        container, key = _place(values, pointer)
        del container[key]
    if delta.append:
        for pointer, items in delta.append.items():
            container, key = _place(values, pointer)
            container[key].extend(items)


def _place(values: dict[str, Json], pointer: str) -> tuple[Json, str | int]:
    """The innermost container on the way of ``pointer``, and the key in it."""
    container: Json = values
    *way, last = segments(pointer)
    for part in way:
        container = container[int(part)] if isinstance(container, list) else container[part]
    return container, int(last) if isinstance(container, list) else last


class Folded:
    """Data as deltas made it, and for each appended list the version and the length of its base."""

    __slots__ = ("bases", "values")

    def __init__(self, values: dict[str, Json] | None = None, bases: dict[str, tuple[int, int]] | None = None) -> None:
        self.values = {} if values is None else values
        self.bases = {} if bases is None else bases

    def take(self, version: int, delta: Delta) -> None:
        """Apply one step's delta and remember where the appended lists began."""
        if self.bases:
            inside = (pointer for pointer in delta.append if "/" in pointer)
            for pointer in (*delta.set, *delta.remove, *inside):
                self.bases.pop(pointer.partition("/")[0], None)
        if delta.append:
            for pointer in delta.append:
                if "/" not in pointer and pointer not in self.bases:
                    self.bases[pointer] = (version - 1, len(self.values[pointer]))
        apply(self.values, delta)

    def snapshot(self, version: int) -> Snapshot:
        """All of it as of ``version``, appended lists by their base only. Shares nothing with later changes
        that the store could see: a store encodes it before it returns."""
        values = dict(self.values)
        for name, (_, length) in self.bases.items():
            values[name] = values[name][:length]
        return Snapshot(version, values, {name: since for name, (since, _) in self.bases.items()})


def fold(snapshot: Snapshot | None, tail: Iterable[Step]) -> Folded:
    """The data of an agent: its snapshot, if there is one, and the steps that are not in it.

    Raises ``KeyMissing`` for what is sealed.
    """
    if snapshot is None:
        folded = Folded()
    else:
        refuse_sealed(snapshot.values)
        bases = {name: (since, len(snapshot.values[name])) for name, since in snapshot.appended_since.items()}
        folded = Folded(dict(snapshot.values), bases)
    for step in tail:
        refuse_sealed(step.payload)
        if snapshot is not None and step.version <= snapshot.version:
            _append_only(folded, snapshot.appended_since, step)
        else:
            folded.take(step.version, step.delta)
    return folded


def _append_only(folded: Folded, appended_since: Mapping[str, int], step: Step) -> None:
    """Add the items of a step that the snapshot covers, but has left out."""
    for name, items in step.delta.append.items():
        since = appended_since.get(name)
        if since is not None and step.version > since:
            folded.values[name].extend(items)


def weight(value: Json) -> int:
    """About the bytes of ``value`` as JSON, at the speed of ``repr``."""
    return len(repr(value))


def step_weight(delta: Delta) -> int:
    """What a step adds to the bytes that a snapshot would save: all but items appended to a field.

    It is roughly reckoned. ``data_limit`` relies on it that what is set takes less than six times as many bytes.
    """
    total = _ROW_WEIGHT
    for pointer, value in delta.set.items():
        kind = type(value)
        total += len(pointer) + 8 + (len(value) if kind is str else 0 if kind is int else weight(value))
    if delta.remove:
        total += weight(delta.remove)
    if delta.append:
        total += sum(weight(items) for pointer, items in delta.append.items() if "/" in pointer)
    return total


def snapshot_weight(folded: Folded) -> int:
    """About the bytes of the snapshot that ``folded`` would give, without making it."""
    return sum(
        len(name) + 4 + weight(value if name not in folded.bases else value[: folded.bases[name][1]])
        for name, value in folded.values.items()
    )
