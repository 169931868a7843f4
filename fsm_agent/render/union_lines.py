"""The lines inside the states of two versions: which are new, which are gone, and which rows tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.render.labels import Detail, DetailKind


class Status(StrEnum):
    """What has become of a part of the picture."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class LinePiece(NamedTuple):
    """A line inside a state; a line that reads otherwise is two of them."""

    status: Status
    detail: Detail
    #: of the rows that tell of it
    numbers: tuple[int, ...] = ()


def compared(
    olds: Sequence[Detail], news: Sequence[Detail], numbers: Mapping[str, Sequence[int]]
) -> Iterator[LinePiece]:
    """The lines of one kind in both versions; ``numbers`` are those of one state, by key."""
    for detail in olds:
        if detail not in news:
            yield LinePiece(Status.REMOVED, detail, _numbers_of(detail, "old", numbers))
    for detail in news:
        if detail in olds:
            yield LinePiece(Status.SAME, detail)
        else:
            yield LinePiece(Status.ADDED, detail, _numbers_of(detail, "new", numbers))


def once(lines: Sequence[LinePiece]) -> tuple[LinePiece, ...]:
    """The lines of one state; of several lines about one row the last has its number."""
    found: list[LinePiece] = []
    seen: set[int] = set()
    for line in reversed(lines):
        found.insert(0, line._replace(numbers=tuple(each for each in line.numbers if each not in seen)))
        seen.update(line.numbers)
    return tuple(found)


def _numbers_of(detail: Detail, side: str, numbers: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    found: set[int] = set()
    for key, values in numbers.items():
        of, _, place = key.partition(":")
        if of == side and _tells_of(place, detail):
            found.update(values)
    return tuple(sorted(found))


#: part of a state, or the first part of its key -> the lines that show it
_SHOWN: Final[Mapping[str, frozenset[DetailKind]]] = {
    "do": frozenset({DetailKind.DO}),
    "with": frozenset(
        {DetailKind.WITH, DetailKind.PROMPT, DetailKind.TOOLS, DetailKind.INTO}
        | {DetailKind.ASK, DetailKind.ANSWERS, DetailKind.TO}
    ),
    "timeout": frozenset({DetailKind.TIMEOUT}),
    "retry": frozenset({DetailKind.RETRY}),
    "visits": frozenset({DetailKind.LIMIT}),
    "ask": frozenset({DetailKind.ASK, DetailKind.ANSWERS, DetailKind.TO}),
    "ask.prompt": frozenset({DetailKind.ASK}),
    "ask.events": frozenset({DetailKind.ANSWERS}),
    "ask.to": frozenset({DetailKind.TO}),
    "output": frozenset({DetailKind.OUTPUT}),
    "on": frozenset({DetailKind.IGNORES}),
}
#: argument of a built-in action -> the line that shows it
_ARGUMENTS: Final[Mapping[str, frozenset[DetailKind]]] = {
    "prompt": frozenset({DetailKind.PROMPT, DetailKind.ASK}),
    "tools": frozenset({DetailKind.TOOLS}),
    "into": frozenset({DetailKind.INTO}),
    "events": frozenset({DetailKind.ANSWERS}),
    "to": frozenset({DetailKind.TO}),
}


def _tells_of(place: str, detail: Detail) -> bool:
    """Whether a part of a state (``with.depth``) is what a line shows."""
    first, _, rest = place.partition(".")
    if detail.kind not in _SHOWN.get(place, _SHOWN.get(first, frozenset())):
        return False
    if detail.kind in (DetailKind.WITH, DetailKind.OUTPUT):
        return detail.text.startswith(f"{rest} = ")
    if first == "with":
        return detail.kind in _ARGUMENTS.get(rest, frozenset())
    return first != "on" or detail.text == rest
