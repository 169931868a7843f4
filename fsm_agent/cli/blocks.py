"""What a command shows to a person, before it is known on what: blocks of inked text, and nothing of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias


class Tone(StrEnum):
    """What a text means; never the only thing that says it."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    GOOD = "good"
    BAD = "bad"
    BUSY = "busy"
    ASKING = "asking"
    COMMAND = "command"


class Ink(NamedTuple):
    """A text with its tone; the glyph stands before it on a terminal, where columns need not be cut apart."""

    text: str
    tone: Tone = Tone.PLAIN
    glyph: str = ""


class Facts(NamedTuple):
    """Names and what they are."""

    title: str
    rows: Sequence[tuple[str, Ink]]


class Table(NamedTuple):
    """Rows under columns; ``empty`` is said where there are none. ``names_agents`` is whether the first column holds
    ids of agents, which may be shortened."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Ink]]
    empty: str
    names_agents: bool = False


class Prose(NamedTuple):
    """Text for a person, in its own lines."""

    title: str
    text: str
    footer: str


#: a blank at which no line is broken; it is printed as a blank
BOUND: Final = "\N{NO-BREAK SPACE}"

Block: TypeAlias = Facts | Table | Prose

_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str, *, keep: str = "") -> str:
    """``text`` without what could move a terminal's cursor, change its colours or hide; ``keep`` stays."""
    return "".join(
        each if each in keep or unicodedata.category(each) not in _CONTROL else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def harmless(block: Block) -> Block:
    """The block without what could steer a terminal, whoever has written it into a store."""
    match block:
        case Facts(title, rows):
            return Facts(visible(title), [(visible(label), _harmless_ink(ink)) for label, ink in rows])
        case Table():
            return block._replace(rows=[[_harmless_ink(ink) for ink in row] for row in block.rows])
        case Prose(title, text, footer):
            return Prose(visible(title), visible(text, keep="\n"), visible(footer))


def _harmless_ink(ink: Ink) -> Ink:
    return ink._replace(text=visible(ink.text))
