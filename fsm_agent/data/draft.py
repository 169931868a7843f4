"""``ctx.data``: a recording draft over committed values.

Reading goes through to the values, writing is noted, nothing is copied or compared whole: a change costs what it
changes, whatever the size of the data. Containers come out as drafts too, so that a change deep inside is seen;
what is put in is copied. ``plain()`` gives an ordinary copy for code that wants a real ``dict`` or ``list``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Final, NamedTuple, SupportsIndex, TypeAlias, overload

from fsm_agent.data.delta import escape, inside, own
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import EMPTY_DELTA, NOTHING, Delta
from fsm_agent.domain.tuples import from_fields
from fsm_agent.errors import DataInvalid

_MISSING: Final = object()
_NONE_REMOVED: Final[frozenset[str]] = frozenset()


class _Collected(NamedTuple):
    """A delta while it is being collected."""

    set: dict[str, Json]
    remove: list[str]
    append: dict[str, list[Json]]


class DictDraft(MutableMapping[str, Json]):
    """A dict whose changes are recorded key by key."""

    __slots__ = ("_base", "_changed", "_depth", "_opened", "_removed", "_where")

    def __init__(self, base: Mapping[str, Json], depth: int = 1, where: str = "") -> None:
        self._base, self._depth, self._where = base, depth, where
        self._changed: dict[str, Json] = {}
        self._removed = _NONE_REMOVED
        self._opened: dict[str, Node] = {}

    def __getitem__(self, key: str) -> Json:
        if self._opened and key in self._opened:
            return self._opened[key]
        value = self._changed.get(key, _MISSING)
        if value is _MISSING:
            if key in self._removed:
                raise KeyError(key)
            value = self._base[key]
        if isinstance(value, (dict, list)):
            value = self._opened[key] = _draft(value, self._depth + 1, inside(self._where, key))
        return value

    def peek(self, key: str) -> Json:
        """The value as it is now, plain and shared: to read, not to keep."""
        if key in self._opened:
            return self._opened[key]._current()
        return self._changed[key] if key in self._changed else self._base[key]

    def __setitem__(self, key: str, value: Json) -> None:
        if not isinstance(key, str):
            raise DataInvalid([f"the key {key!r} is not a string"])
        if self._opened and value is not None and self._opened.get(key) is value:
            return  # `data["list"] += [...]` ends with assigning the draft to its own place
        self._changed[key] = own(value, inside(self._where, key), self._depth)
        if self._opened:
            self._opened.pop(key, None)
        if self._removed:
            self._removed -= {key}

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._changed.pop(key, None)
        self._opened.pop(key, None)
        if key in self._base:
            self._removed |= {key}

    def setdefault(self, key: str, default: Json = None) -> Json:
        """The ``setdefault`` of a dict, but what comes out is recorded even when it has just been put in."""
        if key not in self:
            self[key] = default
        return self[key]

    def __contains__(self, key: object) -> bool:
        return key in self._changed or (key in self._base and key not in self._removed)

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._base if key not in self._removed)
        yield from (key for key in self._changed if key not in self._base)

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._changed else len(self._base) - len(self._removed)

    def __eq__(self, other: object) -> bool:
        return bool(current(self) == (current(other) if isinstance(other, DictDraft) else other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(current(self))

    def __or__(self, other: Mapping[str, Json]) -> dict[str, Json]:
        return {**self.plain(), **other}

    def __deepcopy__(self, _memo: object) -> dict[str, Json]:
        return self.plain()

    def plain(self) -> dict[str, Json]:
        """An ordinary dict of ordinary values; changing it changes nothing here."""
        copied: dict[str, Json] = own(current(self))
        return copied

    __copy__ = plain

    def _dirty(self) -> bool:
        return bool(self._changed or self._removed) or any(node._dirty() for node in self._opened.values())

    def _current(self) -> dict[str, Json]:
        if not self._dirty():
            return self._base if isinstance(self._base, dict) else dict(self._base)
        values = {key: value for key, value in self._base.items() if key not in self._removed}
        values.update(self._changed)
        values.update((key, node._current()) for key, node in self._opened.items())
        return values

    def _collect(self, delta: _Collected, pointer: str) -> None:
        prefix = f"{pointer}/" if pointer else ""
        for key, value in self._changed.items():
            node = self._opened.get(key)
            delta.set[prefix + escape(key)] = value if node is None else node._current()
        delta.remove.extend(prefix + escape(key) for key in sorted(self._removed))
        for key, node in self._opened.items():
            if key not in self._changed:
                node._collect(delta, prefix + escape(key))


class ListDraft(MutableSequence[Json]):
    """A list that records items added at its end, and items replaced; any other change rewrites it."""

    __slots__ = ("_base", "_depth", "_extra", "_opened", "_replaced", "_rewritten", "_where")

    def __init__(self, base: list[Json], depth: int = 1, where: str = "") -> None:
        self._base, self._depth, self._where = base, depth, where
        self._extra: list[Json] = []
        self._replaced: dict[int, Json] = {}
        self._opened: dict[int, Node] = {}
        self._rewritten = False

    @overload
    def __getitem__(self, index: SupportsIndex) -> Json: ...
    @overload
    def __getitem__(self, index: slice) -> list[Json]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Json:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = self._index(index)
        value = self._held(at)
        if isinstance(value, (dict, list)):
            value = self._opened[at] = _draft(value, self._depth + 1, f"{self._where}[{at}]")
        return value

    def _held(self, at: int) -> Json:
        for changed in (self._opened, self._replaced):
            if at in changed:
                return changed[at]
        return self._base[at] if at < len(self._base) else self._extra[at - len(self._base)]

    def _index(self, index: SupportsIndex) -> int:
        at = index.__index__()
        at = at + len(self) if at < 0 else at
        if not 0 <= at < len(self):
            raise IndexError("list index out of range")
        return at

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            self._rewrite()[index] = own(list(value), self._where, self._depth - 1)
            return
        at = self._index(index)
        if self._held(at) is value:
            return  # `items[0] += [...]` ends with assigning the draft to its own place
        value = own(value, f"{self._where}[{at}]", self._depth)
        self._opened.pop(at, None)
        if at < len(self._base):
            self._replaced[at] = value
        else:
            self._extra[at - len(self._base)] = value

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        if not isinstance(index, slice):
            self._index(index)
        del self._rewrite()[index]

    def __len__(self) -> int:
        return len(self._base) + len(self._extra)

    def insert(self, index: SupportsIndex, value: Json) -> None:
        if index.__index__() >= len(self):
            self._extra.append(own(value, f"{self._where}[{len(self)}]", self._depth))
        else:
            self._rewrite().insert(index, own(value, f"{self._where}[{index}]", self._depth))

    def extend(self, values: Iterable[Json]) -> None:
        self._extra.extend(own(value, f"{self._where}[{len(self)}]", self._depth) for value in list(values))

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        if key is not None:
            list(self)  # opens every item, so that ``key`` is given drafts and nothing raw
        self._rewrite().sort(key=key or current, reverse=reverse)

    def reverse(self) -> None:
        self._rewrite().reverse()

    def clear(self) -> None:
        self._rewrite().clear()

    def _rewrite(self) -> list[Json]:
        """Make the list its own from here on: its delta is all of it. Drafts that were handed out stay in it."""
        values = self._base + self._extra
        for at, value in (*self._replaced.items(), *self._opened.items()):
            values[at] = value
        self._base = values
        self._extra, self._replaced, self._opened, self._rewritten = [], {}, {}, True
        return self._base

    def __eq__(self, other: object) -> bool:
        return bool(current(self) == (current(other) if isinstance(other, ListDraft) else other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(current(self))

    def __add__(self, other: Iterable[Json]) -> list[Json]:
        return [*self.plain(), *other]

    def __radd__(self, other: Iterable[Json]) -> list[Json]:
        return [*other, *self.plain()]

    def __deepcopy__(self, _memo: object) -> list[Json]:
        return self.plain()

    def plain(self) -> list[Json]:
        """An ordinary list of ordinary values; changing it changes nothing here."""
        copied: list[Json] = own(current(self))
        return copied

    __copy__ = plain

    def _dirty(self) -> bool:
        return bool(self._rewritten or self._extra or self._replaced) or any(
            node._dirty() for node in self._opened.values()
        )

    def _current(self) -> list[Json]:
        if not (self._extra or self._replaced or self._opened or self._rewritten):
            return self._base
        values = [*map(current, self._base), *self._extra] if self._rewritten else self._base + self._extra
        for at, value in (*self._replaced.items(), *self._opened.items()):
            values[at] = current(value)
        return values

    def _collect(self, delta: _Collected, pointer: str) -> None:
        if self._rewritten:
            delta.set[pointer] = self._current()
            return
        base = len(self._base)
        if self._extra:
            opened = ((at, self._opened.get(at + base)) for at in range(len(self._extra)))
            delta.append[pointer] = [self._extra[at] if node is None else node._current() for at, node in opened]
        for at, value in self._replaced.items():
            node = self._opened.get(at)
            delta.set[f"{pointer}/{at}"] = value if node is None else node._current()
        for at, node in self._opened.items():
            if at < base and at not in self._replaced:
                node._collect(delta, f"{pointer}/{at}")


Node: TypeAlias = DictDraft | ListDraft


def _draft(value: dict[str, Json] | list[Json], depth: int, where: str) -> Node:
    """``value`` under record; what is put into it stands ``depth`` levels deep in the data."""
    return DictDraft(value, depth, where) if isinstance(value, dict) else ListDraft(value, depth, where)


def current(value: Json) -> Json:
    """What a draft holds now, sharing with it: to read, not to keep."""
    return value._current() if isinstance(value, (DictDraft, ListDraft)) else value


def collect(root: DictDraft) -> Delta:
    """All that was changed since ``root`` was opened."""
    if not root._opened and not root._removed:  # most actions set fields, and look into none
        changed = root._changed
        names = {key if key.isidentifier() else escape(key): value for key, value in changed.items()}
        return from_fields(Delta, (names, (), NOTHING)) if changed else EMPTY_DELTA
    root._collect(collected := _Collected({}, [], {}), "")
    return Delta(collected.set, tuple(collected.remove), collected.append) or EMPTY_DELTA
