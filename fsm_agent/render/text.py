"""Text that fits: widths are estimated for a wide font, so that what fits here fits wherever the picture is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

#: Widths in ems, after DejaVu Sans: the widest of the fonts that browsers and Graphviz fall back to.
_EMS: Final = (
    ("ijl|'", 0.30),
    (".,:;!I", 0.36),
    ('frt()[]{}/\\-" ', 0.42),
    ("mwMW@%&", 0.95),
    ("ABCDEFGHJKLNOPQRSTUVXYZ+=<>", 0.76),
)
_ORDINARY: Final = 0.64
_EM_OF: Final = {character: width for characters, width in _EMS for character in characters}
#: what no XML may contain
_UNSHOWABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: a ``{{ expression }}`` of a prompt is read as one word
_PROMPT_WORD: Final = re.compile(r"(?:\{\{.*?\}\}|\S)+\s*")
_WORD: Final = re.compile(r"\S+\s*")
_ATOM: Final = re.compile(r"(?:[^\W_]*(?:_+|[^\w\s]+)|[^\W_]+)\s*")


def width_of(text: str, size: float) -> float:
    """Width in points of a line of text at a font size in points, rather too wide than too narrow."""
    return size * sum(_em(character) for character in text)


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return _EM_OF.get(character, _ORDINARY)


def clean(text: str) -> str:
    """One line: runs of white space become one space, and what no picture can hold becomes a replacement mark."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def wrap(text: str, *, width: float, size: float, most: int | None = None) -> tuple[str, ...]:
    """Lines no wider than ``width`` points; an ellipsis ends the last of ``most`` lines if there is more.

    Lines break at spaces. A word that is too wide breaks after its punctuation (``data.`` ``amount``), and failing
    that between characters.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(clean(text), width, size):
        if line and not _fits(line + piece, width, size):
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines += [line.rstrip()] if line else []
    if most is None or len(lines) <= most:
        return tuple(lines)
    return (*lines[: most - 1], _ended(lines[most - 1], width, size))


def _pieces(text: str, width: float, size: float) -> Iterator[str]:
    """What may not be broken, with the space behind it if there is one: the longest unit that fits."""
    pieces = [text]
    for unit in (_PROMPT_WORD, _WORD, _ATOM):
        pieces = [part for piece in pieces for part in ([piece] if _fits(piece, width, size) else unit.findall(piece))]
    for piece in pieces:
        yield from [piece] if _fits(piece, width, size) else piece


def _fits(piece: str, width: float, size: float) -> bool:
    return width_of(piece.rstrip(), size) <= width


def _ended(line: str, width: float, size: float) -> str:
    while line and width_of(f"{line}…", size) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
