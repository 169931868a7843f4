"""Values of any size and depth as trees that fold: so much of them as a page can hold, with links to the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import htpy as h

from fsm_agent.data.delta import escape
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import byte_count
from fsm_agent.server.page.texts import brief, counted, fits, visible

#: pointer of a part -> the address of a page with all of it
Whole: TypeAlias = Callable[[str], str]

#: parts of an object or a list that are shown, and characters of a text within a tree
PAGE: Final = 100
_LONGEST_TEXT: Final = 600
#: containers deeper than this are a link
_DEEPEST: Final = 8
#: containers are open down to this depth, if they have few parts
_OPEN_DEPTH: Final = 2
_FEW: Final = 12
#: characters of an inner container that stands on one line
_SHORT: Final = 70


@dataclass
class _Budget:
    """How many values may still be written."""

    left: int
    whole: Whole
    #: parts of the outermost container that are left out at its beginning
    skipped: int


def tree(value: Json, whole: Whole, *, most: int = 1_000, pointer: str = "", skipped: int = 0) -> h.Node:
    """A value as a tree of at most so many values. ``pointer`` is its own place; of the outermost container so
    many parts are ``skipped``."""
    return _value(value, pointer, 0, _Budget(most, whole, skipped))


def _value(value: Json, pointer: str, depth: int, budget: _Budget) -> h.Node:
    budget.left -= 1
    match value:
        case "":
            return h.span(".value.atom")['""']
        case str():
            return text(value, budget.whole(pointer))
        case dict() | list() if value:
            return _parts(value, pointer, depth, budget)
        case dict() | list():
            return h.span(".value.empty-value")["{}" if isinstance(value, dict) else "[]"]
        case _:
            return h.span(".value.atom")[brief(value)]


def text(value: str, address: str, longest: int = _LONGEST_TEXT) -> h.Node:
    """A text as it was written, or its beginning and a link to all of it."""
    shown = h.span(".value.text", dir="auto")[visible(value[:longest])]
    if len(value) <= longest:
        return shown
    return [shown, "… ", more(address, f"all {byte_count(len(value.encode()))}")]


def more(address: str, words: str) -> h.Node:
    return h.a(".more", href=address)[words]


def _parts(value: dict[str, Json] | list[Json], pointer: str, depth: int, budget: _Budget) -> h.Node:
    rows = list(_rows(value, pointer, depth, budget))
    return h.ul(".tree" if depth == 0 else ".branch")[rows]


def _rows(value: dict[str, Json] | list[Json], pointer: str, depth: int, budget: _Budget) -> Iterator[h.Node]:
    first = budget.skipped if depth == 0 else 0
    parts: Iterable[tuple[str | int, Json]] = value.items() if isinstance(value, dict) else enumerate(value)
    for place, (name, part) in enumerate(islice(parts, first, None)):
        if budget.left <= 0 or place >= PAGE:
            rest = len(value) - first - place
            yield h.li[more(budget.whole(pointer), f"{rest:,} more")]
            return
        yield _row(name, part, f"{pointer}/{escape(name)}", depth, budget)


def _row(name: str | int, value: Json, pointer: str, depth: int, budget: _Budget) -> h.Node:
    key = h.bdi(".key")[visible(str(name))]
    if not isinstance(value, dict | list) or not value:
        return h.li[key, " ", _value(value, pointer, depth + 1, budget)]
    if depth >= 1 and fits(value, _SHORT):
        return h.li[key, " ", h.span(".value.short", dir="auto")[brief(value, _SHORT)]]
    size = h.span(".meta")[counted(value)]
    if depth + 1 >= _DEEPEST:
        return h.li[key, " ", more(budget.whole(pointer), counted(value))]
    is_open = depth + 1 < _OPEN_DEPTH and len(value) <= _FEW
    fold = h.details(open=is_open, data_pointer=pointer)
    return h.li[fold[h.summary[key, " ", size], _value(value, pointer, depth + 1, budget)]]


def pairs(named: Mapping[str, h.Node]) -> h.Node:
    """Names with what is to be said under them; what there is not is left out."""
    said = [(name, node) for name, node in named.items() if node is not None and node != ""]
    return h.dl(".pairs")[[(h.dt[name], h.dd[node]) for name, node in said]] if said else None
