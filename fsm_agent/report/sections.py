"""A report of sections that fits where it stands: what matters least is left out first, and the report says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple


class Weight(IntEnum):
    """How early a section is left out where there is no room for all: the greatest first, and of equals the last."""

    HEADING = 0
    BROKEN = 1
    CHANGES = 2
    FINDINGS = 3
    PROPERTIES = 4
    PICTURE = 5
    MEANING = 6
    AGENTS = 7
    TEST = 8
    #: what goes on from an earlier part
    MORE = 9


class Section(NamedTuple):
    """A piece of Markdown that can stand alone."""

    text: str
    weight: Weight


class Room(NamedTuple):
    """How long a report may be, and what is counted."""

    most: int
    measure: Callable[[str], int]


def _bytes(text: str) -> int:
    return len(text.encode())


#: a comment of a pull request on GitHub, in characters
COMMENT: Final = Room(65_536, len)
#: what one step may add to the summary of a job on GitHub, in bytes
SUMMARY: Final = Room(1_024 * 1_024, _bytes)


def fitted(sections: Sequence[Section], room: Room, note: Callable[[int], str]) -> str:
    """The sections with an empty line between them, and a line feed at the end. Where they need more room, some are
    left out; ``note`` is what is then said, of how many of them. What is first always stays."""
    kept = [section for section in sections if section.text]
    whole = _joined(kept)
    if room.measure(whole) <= room.most:
        return whole
    order = sorted(range(1, len(kept)), key=lambda at: (kept[at].weight, at), reverse=True)
    left = room.most - room.measure(_joined([*kept, Section(note(len(order)), Weight.HEADING)]))
    gone: set[int] = set()
    for at in order:
        if left >= 0:
            break
        left += room.measure(kept[at].text) + 2
        gone.add(at)
    rest = [section for at, section in enumerate(kept) if at not in gone]
    return _joined([*rest, Section(note(len(gone)), Weight.HEADING)])


def _joined(sections: Sequence[Section]) -> str:
    return "\n\n".join(section.text for section in sections) + "\n"
