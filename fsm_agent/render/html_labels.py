"""Graphviz's HTML-like labels: lines of text in cells that are wide enough in any font.

Graphviz measures text with the fonts of the machine it runs on, and a reader may have wider ones. So every table
asks for at least the width that its widest line would take in a wide font.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from math import ceil
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.render.text_width import width_of, wrap

#: Graphviz misreads two things: a backslash with a letter is a code, even as an entity, and a line that is only ``]``
#: is a syntax error. (It also drops repeated spaces.)
_MEANT: Final = str.maketrans({"\\": r"\\", "]": "&#93;"})


class TextStyle(NamedTuple):
    """How a piece of text looks; ``size`` is in points."""

    size: float
    colour: str
    bold: bool = False
    italic: bool = False
    struck: bool = False


class Run(NamedTuple):
    text: str
    look: TextStyle

    @property
    def width(self) -> float:
        return _width(self.text, self.look)

    def __str__(self) -> str:
        return _marked_up(self.text, self.look)


# The same few words are in many places of a large picture.
@lru_cache(maxsize=16_384)
def _width(text: str, look: TextStyle) -> float:
    return width_of(text, look.size) * (1.1 if look.bold else 1)


@lru_cache(maxsize=16_384)
def _marked_up(text: str, look: TextStyle) -> str:
    text = escape(text).translate(_MEANT).replace("  ", "&#160; ")
    if look.bold:
        text = f"<B>{text}</B>"
    if look.italic:
        text = f"<I>{text}</I>"
    if look.struck:
        text = f"<S>{text}</S>"
    return f'<FONT POINT-SIZE="{look.size:g}" COLOR="{look.colour}">{text}</FONT>'


Line: TypeAlias = tuple[Run, ...]


@lru_cache(maxsize=16_384)
def paragraph(
    text: str, look: TextStyle, *, width: float, most: int | None = None, lead: Run | None = None
) -> tuple[Line, ...]:
    """``text`` wrapped to ``width``; the first line begins with ``lead``."""
    room = width - (lead.width if lead else 0)
    lines = tuple([(Run(each, look),) for each in wrap(text, width=room, size=look.size, most=most)])
    return ((lead, *lines[0]), *lines[1:]) if lead and lines else lines


def table(cells: Iterable[Sequence[Line]], *, padding: int = 4, rule: str = "") -> str:
    """An HTML-like label: cells from top to bottom, with lines of colour ``rule`` between them, if it is given."""
    shown = [cell for cell in cells if cell]
    if not shown:
        return '""'
    widest = max([sum([_width(*run) for run in line]) for cell in shown for line in cell])
    rows = ("<HR/>" if rule else "").join([_row(cell, ceil(widest) + 2 * padding) for cell in shown])
    colour = f' COLOR="{rule}"' if rule else ""
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}"{colour}>{rows}</TABLE>>'


def _row(lines: Sequence[Line], width: int) -> str:
    end = '<BR ALIGN="LEFT"/>'
    text = "".join(["".join([_marked_up(*run) for run in line]) + end for line in lines])
    return f'<TR><TD ALIGN="LEFT" BALIGN="LEFT" WIDTH="{width}">{text}</TD></TR>'
