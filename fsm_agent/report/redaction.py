"""Redaction: what a reader of a history may not see is hidden by the names of fields, before anything is written.

A field is named by the end of its path, which begins with ``data``, ``event`` or ``output``: ``email`` hides every
field of that name, ``customer.email`` only those inside a ``customer``, ``event.email`` only those of payloads. What a
hidden field held is hidden in all other texts, too, such as a question that quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from fsm_agent.data.delta import segments
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta, Step

HIDDEN: Final = "(redacted)"

Path = tuple[str, ...]

DATA: Final[Path] = ("data",)
EVENT: Final[Path] = ("event",)


class Redaction:
    """Hides the fields of these names in the values that it is given, and what they held in other texts."""

    def __init__(self, fields: Collection[str]) -> None:
        self._hidden = {tuple(field.split(".")) for field in fields}
        self._values: set[str] = set()
        self._met: set[Path] = set()

    def step(self, step: Step) -> Step:
        """A step without the values of the hidden fields."""
        by = self.value(step.by, ("by",))
        return step._replace(payload=self.value(step.payload, EVENT), delta=self._delta(step.delta), by=by)

    def value(self, value: Json, path: Path) -> Json:
        """A value without the hidden fields inside it; ``path`` says where it stands."""
        if path not in (DATA, EVENT):
            self._met.add(path)
            if any(path[-len(field) :] == field for field in self._hidden):
                self._values.update(_texts(value))
                return None if value is None else HIDDEN
        if isinstance(value, Mapping):
            return {name: self.value(inner, (*path, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, path) for inner in value]
        return value

    def _delta(self, delta: Delta) -> Delta:
        return Delta(
            {pointer: self.value(value, _path(pointer)) for pointer, value in delta.set.items()},
            delta.remove,
            {pointer: self._items(items, _path(pointer)) for pointer, items in delta.append.items()},
        )

    def _items(self, items: list[Json], path: Path) -> list[Json]:
        return [self.value(item, path) for item in items]

    def quoted(self, value: Json) -> Json:
        """A value whose texts quote nothing that was hidden so far, where it stands as words of its own."""
        if not self._values:
            return value
        longest_first = sorted(self._values, key=len, reverse=True)
        words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        return _replaced(value, words)

    @property
    def known(self) -> list[str]:
        """The paths of all fields that were met."""
        return sorted({".".join(path) for path in self._met})

    @property
    def unknown(self) -> list[str]:
        """The fields that nothing had: where one is misspelt, the right one is not hidden."""
        ends = {path[-length:] for path in self._met for length in range(1, len(path) + 1)}
        return sorted(".".join(field) for field in self._hidden - ends)


def _path(pointer: str) -> Path:
    """The path of a JSON Pointer into the data; places in lists are no names."""
    return (*DATA, *(name for name in segments(pointer) if not name.isdigit()))


def _replaced(value: Json, words: re.Pattern[str]) -> Json:
    match value:
        case str():
            return words.sub(HIDDEN, value)
        case Mapping():
            return {name: _replaced(inner, words) for name, inner in value.items()}
        case list():
            return [_replaced(inner, words) for inner in value]
        case _:
            return value


def _texts(value: Json) -> Iterator[str]:
    """What a value and all inside it are called in a text."""
    match value:
        case None | True | False | "":
            return
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case float() if value.is_integer():
            yield from (str(value), str(int(value)))
        case _:
            yield str(value)
