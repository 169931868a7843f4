"""Blocks: what a command shows to a person, as text with tones. They know nothing of terminals."""

import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias


class Tone(StrEnum):
    """The meaning of a text; a tone is never the only thing that shows it."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    GOOD = "good"
    BAD = "bad"
    BUSY = "busy"
    ASKING = "asking"
    COMMAND = "command"


class Ink(NamedTuple):
    """A text with its tone. On a terminal the glyph is printed before it; elsewhere columns must stay easy to split."""

    text: str
    tone: Tone = Tone.PLAIN
    glyph: str = ""


class Facts(NamedTuple):
    """Names with their values."""

    title: str
    rows: Sequence[tuple[str, Ink]]


class Table(NamedTuple):
    """Rows under columns; ``empty`` is printed if there are none. With ``names_agents``, the first column holds ids of
    agents, which may be shortened."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Ink]]
    empty: str
    names_agents: bool = False


class Prose(NamedTuple):
    """Text for a person, whose line breaks are kept."""

    title: str
    text: str
    footer: str


#: a blank at which lines do not break; it is printed as an ordinary blank
BOUND: Final = "\N{NO-BREAK SPACE}"

Block: TypeAlias = Facts | Table | Prose

_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str, *, keep: str = "") -> str:
    """``text`` without characters that move a terminal's cursor, change its colours or hide text, except ``keep``."""
    return "".join(
        each if each in keep or unicodedata.category(each) not in _CONTROL else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def harmless(block: Block) -> Block:
    """The block without characters that could control a terminal, whoever stored them."""
    match block:
        case Facts(title, rows):
            return Facts(visible(title), [(visible(label), _harmless_ink(ink)) for label, ink in rows])
        case Table():
            return block._replace(rows=[[_harmless_ink(ink) for ink in row] for row in block.rows])
        case Prose(title, text, footer):
            return Prose(visible(title), visible(text, keep="\n"), visible(footer))


def _harmless_ink(ink: Ink) -> Ink:
    return ink._replace(text=visible(ink.text))
