"""Redaction: what a reader of a history may not see is hidden by the names of fields, before anything is written.

A field is named by the end of its path, which begins with ``data``, ``event`` or ``output``: ``email`` hides every
field of that name, ``customer.email`` only those inside a ``customer``, ``event.email`` only those of payloads. What a
hidden field held is hidden wherever else it stands, too: in questions that quote it, in fields that have a copy of it.
So a history is gone through twice: ``meet`` every step, and only then show any.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from fsm_agent.data.delta import escape, segments
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta, Step
from fsm_agent.report.hidden_texts import HIDDEN, HiddenTexts

Path = tuple[str, ...]

DATA: Final[Path] = ("data",)
EVENT: Final[Path] = ("event",)
OUTPUT: Final[Path] = ("output",)
USER: Final[Path] = ("user",)
LABELS: Final[Path] = ("labels",)

#: A key of fewer digits may be the index of an item.
_SHORTEST_NUMBER_AS_KEY: Final = 7


class Redaction:
    """Hides the fields of these names in the values that it is given, and what they held wherever else it stands."""

    def __init__(self, fields: Collection[str]) -> None:
        self._fields = {tuple(field.split(".")) for field in fields}
        self._found: set[Path] = set()
        self._met: set[Path] = set()
        self._texts = HiddenTexts()
        self._keys: dict[str, str] = {}

    def meet(self, step: Step) -> None:
        """Take note of what the hidden fields of a step hold."""
        self._without_fields(step)

    def step(self, step: Step) -> Step:
        """A step without the hidden fields, and without what was met so far of what they held."""
        if not self._fields:
            return step
        step = self._without_fields(step)
        payload, reason, by = self.shown(step.payload, EVENT), self.quoted(step.reason), self.quoted(step.by)
        return step._replace(payload=payload, delta=self._delta_without_quotes(step.delta), reason=reason, by=by)

    def value(self, value: Json, path: Path) -> Json:
        """A value without the hidden fields inside it; ``path`` says where it stands. What they hold is noted."""
        if self._is_hidden(path):
            self._note(value, path)
            return None if value is None else HIDDEN
        match value:
            case Mapping():
                return {name: self.value(inner, (*path, name)) for name, inner in value.items()}
            case list():
                return [self.value(inner, path) for inner in value]
            case _:
                return value

    def shown(self, value: Json, path: Path) -> Json:
        """A value without the hidden fields inside it, and without what was met so far of what they held."""
        value = self.value(value, path)
        if isinstance(value, Mapping):  # the names of declared fields are no values
            return {name: self.quoted(inner) for name, inner in value.items()}
        return self.quoted(value)

    def quoted(self, value: Json) -> Json:
        """A value in which nothing stands that was hidden so far: no text, no number, no key."""
        if not self._texts:
            return value
        match value:
            case str():
                return self._texts.hidden_in(value)
            case bool() | None:
                return value
            case int() | float():
                return HIDDEN if self._texts.has_number(value) else value
            case Mapping():
                return {self._key(name): self.quoted(inner) for name, inner in value.items()}
            case _:
                return [self.quoted(inner) for inner in value]

    @property
    def known(self) -> list[str]:
        """The paths of all fields that were met."""
        return sorted({".".join(path) for path in self._met})

    @property
    def unknown(self) -> list[str]:
        """The fields that nothing had: where one is misspelt, the right one is not hidden."""
        return sorted(".".join(field) for field in self._fields - self._found)

    def _is_hidden(self, path: Path) -> bool:
        if path in (DATA, EVENT):
            return False
        self._met.add(tuple(name for name in path if not name.isdigit()))
        named = [field for field in self._fields if _ends_with(path, field)]
        self._found.update(named)
        return bool(named)

    def _note(self, value: Json, path: Path) -> None:
        """Take note of what a hidden value holds, and of which fields are inside it."""
        match value:
            case Mapping():
                for name, inner in value.items():
                    self._is_hidden((*path, name))
                    self._note(inner, (*path, name))
            case list():
                for inner in value:
                    self._note(inner, path)
            case _:
                self._texts.add(value)

    def _without_fields(self, step: Step) -> Step:
        payload, by = self.value(step.payload, EVENT), self.value(step.by, ("by",))
        return step._replace(payload=payload, delta=self._delta_without_fields(step.delta), by=by)

    def _delta_without_fields(self, delta: Delta) -> Delta:
        """What changes inside a hidden field is a change of that field: not even the keys in it are shown."""
        replaced: dict[str, Json] = {}
        added: dict[str, list[Json]] = {}
        for pointer, value in delta.set.items():
            path, hidden = (*DATA, *segments(pointer)), self._hidden_field(pointer)
            if hidden in (None, pointer):
                replaced[pointer] = self.value(value, path)
            else:
                self._note(value, path)
                replaced[hidden] = HIDDEN
        for pointer, items in delta.append.items():
            path, hidden = (*DATA, *segments(pointer)), self._hidden_field(pointer)
            if hidden is None:
                added[pointer] = self.value(items, path)
            else:
                self._note(items, path)
                replaced[hidden] = HIDDEN
        hiding = {pointer: self._hidden_field(pointer) for pointer in delta.remove}
        replaced.update({hidden: HIDDEN for pointer, hidden in hiding.items() if hidden not in (None, pointer)})
        removed = tuple(pointer for pointer, hidden in hiding.items() if hidden in (None, pointer))
        return Delta(replaced, removed, added)

    def _hidden_field(self, pointer: str) -> str | None:
        """The pointer of the outermost hidden field on the way to a value in the data, or ``None``."""
        parts, names = pointer.split("/"), segments(pointer)
        for length in range(1, len(parts) + 1):
            if self._is_hidden((*DATA, *names[:length])):
                return "/".join(parts[:length])
        return None

    def _delta_without_quotes(self, delta: Delta) -> Delta:
        pointer, quoted = self._pointer, self.quoted
        return Delta(
            {pointer(each): quoted(value) for each, value in delta.set.items()},
            tuple(map(pointer, delta.remove)),
            {pointer(each): quoted(items) for each, items in delta.append.items()},
        )

    def _pointer(self, pointer: str) -> str:
        field, *inside = segments(pointer)
        return "/".join([escape(field), *(escape(self._key(name)) for name in inside)])

    def _key(self, name: str) -> str:
        """A key without what was hidden; two keys stay two. The index of an item of a list is no key."""
        if not self._texts or (name.isdigit() and len(name) < _SHORTEST_NUMBER_AS_KEY):
            return name
        shown = self._texts.hidden_in(name)
        if shown == name:
            return name
        if name not in self._keys:
            others = [key for key in self._keys.values() if key.startswith(shown)]
            self._keys[name] = f"{shown} {len(others) + 1}" if others else shown
        return self._keys[name]


NOTHING_HIDDEN: Final = Redaction(())


def _ends_with(path: Path, field: Path) -> bool:
    """Whether a field is the end of a path, in which the places of items in lists may stand or not."""
    left = list(field)
    for name in reversed(path):
        if not left:
            break
        if name == left[-1]:
            left.pop()
        elif not name.isdigit():
            return False
    return not left
