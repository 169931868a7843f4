"""What changes in the data from one version to another, place by place, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import htpy as h

from fsm_agent.data.delta import place, segments
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta
from fsm_agent.server.page.texts import counted, visible
from fsm_agent.server.page.values import Whole, more, tree

#: changes that are listed, and values of each
_MOST_CHANGES: Final = 200
_MOST_VALUES: Final = 100


class Change(NamedTuple):
    """A change at one place."""

    #: without a leading slash
    pointer: str
    #: the value before, if there was one and it is known
    before: Sequence[Json]
    #: the value after, if there is one; or the items that are added
    after: Sequence[Json]
    is_added: bool = False


def changes_of(delta: Delta, before: Mapping[str, Json] | None) -> Iterator[Change]:
    """The changes of a delta. ``before`` are the data that it was made on, if they are known."""
    for pointer, value in delta.set.items():
        yield Change(pointer, _at(before, pointer), [value])
    for pointer, items in delta.append.items():
        yield Change(pointer, _at(before, pointer), items, is_added=True)
    for pointer in delta.remove:
        yield Change(pointer, _at(before, pointer), [])


def _at(values: Mapping[str, Json] | None, pointer: str) -> list[Json]:
    found: Json = {} if values is None else dict(values)
    for key in segments(pointer):
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            return []
    return [found]


def changes_table(
    changes: Sequence[Change], was: Whole, becomes: Whole, rest: str, names: tuple[str, str] = ("Before", "After")
) -> h.Node:
    """The changes as a table. ``was`` and ``becomes`` are the addresses of places in the data before and after, and
    ``rest`` is that of all changes."""
    left_out = len(changes) - _MOST_CHANGES
    return [
        h.table(".rows.changes")[
            h.thead[h.tr[[h.th(scope="col")[name] for name in ("Field", *names)]]],
            h.tbody[[_row(each, was, becomes, names) for each in changes[:_MOST_CHANGES]]],
        ],
        h.p(".meta")[more(rest, f"{left_out:,} more")] if left_out > 0 else None,
    ]


def _row(change: Change, was: Whole, becomes: Whole, names: tuple[str, str]) -> h.Node:
    before, after = names

    def inside(whole: Whole) -> Whole:
        return lambda pointer: whole(f"/{change.pointer}{pointer}")

    return h.tr[
        h.th(scope="row", dir="auto", data_name="Field")[visible(place(change.pointer))],
        h.td(data_name=before)[
            h.span(".meta")[[counted(value) for value in change.before if isinstance(value, list)]]
            if change.is_added
            else [h.div(".before")[tree(value, inside(was), most=_MOST_VALUES)] for value in change.before]
        ],
        h.td(data_name=after)[
            [
                h.div(".after")["+ " if change.is_added else None, tree(value, inside(becomes), most=_MOST_VALUES)]
                for value in change.after[:_MOST_VALUES]
            ]
        ],
    ]
