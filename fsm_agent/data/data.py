"""``ctx.data`` as actions see it; guards see the same changes before they are committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fsm_agent.data.draft import DictDraft, collect
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import DataInvalid


class Data:
    """The fields of an agent's data, as attributes and as items; every change is recorded.

    A field that shares its name with a method here (``plain``) is reached as an item.
    """

    __slots__ = ("_root",)

    def __init__(self, values: Mapping[str, Json]) -> None:
        _set_root(self, DictDraft(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._root[name]
        except KeyError:
            raise AttributeError(self._unknown(name)) from None

    def __setattr__(self, name: str, value: Json) -> None:
        root = self._root
        if name not in root._base and name not in root:
            raise DataInvalid([self._unknown(name)])
        root[name] = value

    def __delattr__(self, name: str) -> None:
        self[name] = None

    def __getitem__(self, name: str) -> Any:
        return self._root[name]

    __setitem__ = __setattr__

    def __contains__(self, name: object) -> bool:
        return name in self._root

    def __iter__(self) -> Iterator[str]:
        return iter(self._root)

    def __len__(self) -> int:
        return len(self._root)

    def keys(self) -> Any:
        return self._root.keys()

    def __repr__(self) -> str:
        return f"Data({self._root!r})"

    def _unknown(self, name: str) -> str:
        return f"there is no data field {name!r}{did_you_mean(name, list(self._root))}; declared: {listed(self._root)}"

    def plain(self, name: str | None = None) -> Any:
        """An ordinary copy of one field, or of all of them as a dict."""
        if name is None:
            return self._root.plain()
        value = self._root[name]
        return value.plain() if hasattr(value, "plain") else value


_CONTAINERS: Final = frozenset({dict, list})

#: the setter behind ``__setattr__``, which sets fields
_set_root: Final = Data.__dict__["_root"].__set__


def data_type(fields: Iterable[str]) -> type[Data]:
    """A subclass of ``Data`` with a property for each field. Python finds a property at once, but calls ``__getattr__``
    only after every other look-up."""
    properties = {name: _field(name) for name in fields if not hasattr(Data, name)}
    return type("Data", (Data,), {"__slots__": (), **properties})


def _field(name: str) -> property:
    def read(data: Data) -> Any:
        root = data._root
        if not root._opened and not root._removed:  # most often a plain value is found without a call
            value = root._changed[name] if name in root._changed else root._base[name]
            if type(value) not in _CONTAINERS:
                return value
        return root[name]

    return property(read)


class View(Mapping[str, Json]):
    """The changed data for expressions: plain values, which are shared and must not be changed."""

    __slots__ = ("_root",)

    def __init__(self, data: Data) -> None:
        self._root: DictDraft = data._root

    def __getitem__(self, name: str) -> Json:
        root = self._root
        if root._opened:
            return root.peek(name)
        return root._changed[name] if name in root._changed else root._base[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._root)

    def __len__(self) -> int:
        return len(self._root)

    def size(self, name: str) -> int | None:
        """The length of a list, without building the list; ``None`` for null."""
        items = self._root[name]
        return None if items is None else len(items)


def changes(data: Data) -> Delta:
    """What was changed since the draft was opened."""
    return collect(data._root)


def written(data: Data) -> set[str]:
    """The fields that were written since the draft was opened, be it with what was there."""
    root: DictDraft = data._root
    return {*root._changed, *root._removed, *(name for name, node in root._opened.items() if node._dirty())}
