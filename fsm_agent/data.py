"""``ctx.data`` as an action sees it, and as guards see the same changes before they are committed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fsm_agent.draft import DictDraft, collect
from fsm_agent.errors import DataInvalid
from fsm_agent.jsontypes import Json
from fsm_agent.step import Delta
from fsm_agent.wording import did_you_mean, listed


class Data:
    """The fields of an agent's data, as attributes and as items; every change is recorded.

    A field that shares its name with a method here (``plain``) is reached as an item.
    """

    __slots__ = ("_root",)

    def __init__(self, values: Mapping[str, Json]) -> None:
        object.__setattr__(self, "_root", DictDraft(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._root[name]
        except KeyError:
            raise AttributeError(self._unknown(name)) from None

    def __setattr__(self, name: str, value: Json) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        self[name] = None

    def __getitem__(self, name: str) -> Any:
        return self._root[name]

    def __setitem__(self, name: str, value: Json) -> None:
        if name not in self._root:
            raise DataInvalid([self._unknown(name)])
        self._root[name] = value

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


class View(Mapping[str, Json]):
    """The data with its changes, for expressions: plain values, shared and not to be changed."""

    __slots__ = ("_root",)

    def __init__(self, data: Data) -> None:
        self._root: DictDraft = data._root

    def __getitem__(self, name: str) -> Json:
        return self._root.peek(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._root)

    def __len__(self) -> int:
        return len(self._root)

    def size(self, name: str) -> int | None:
        """The length of a list without making it; of null it is none."""
        items = self._root[name]
        return None if items is None else len(items)


def changes(data: Data) -> Delta:
    """What was changed since the draft was opened."""
    return collect(data._root)
