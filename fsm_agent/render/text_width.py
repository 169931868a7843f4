"""Text that fits: widths are estimated for a wide font, so that text fits wherever the picture is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

#: widths in ems of DejaVu Sans, the widest of the fonts that browsers and Graphviz fall back to
_EMS: Final = (
    ("ijl|'", 0.30),
    (".,:;!I", 0.36),
    ('frt()[]{}/\\-" ', 0.42),
    ("mwMW@%&", 0.95),
    ("ABCDEFGHJKLNOPQRSTUVXYZ+=<>", 0.76),
)
_ORDINARY: Final = 0.64
_WIDEST: Final = 1.0
#: characters that XML forbids, and those that would turn the text around them
_UNSHOWABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
#: a ``{{ expression }}`` of a prompt is one word
_PROMPT_WORD: Final = re.compile(r"(?:\{\{.*?\}\}|\S)+\s*")
_WORD: Final = re.compile(r"\S+\s*")
_ATOM: Final = re.compile(r"(?:[^\W_]*(?:_+|[^\w\s]+)|[^\W_]+)\s*")
_UNITS: Final = (_PROMPT_WORD, _WORD, _ATOM)


class _Widths(dict[str, float]):
    """Character -> its width in ems."""

    def __missing__(self, character: str) -> float:
        if unicodedata.combining(character):
            width = 0.0
        else:
            width = _WIDEST if unicodedata.east_asian_width(character) in "WF" else _ORDINARY
        self[character] = width
        return width


_WIDTHS: Final = _Widths({character: width for characters, width in _EMS for character in characters})


def width_of(text: str, size: float) -> float:
    """An upper estimate of a text's width in points, at a font size in points."""
    return size * sum(map(_WIDTHS.__getitem__, text))


@lru_cache(maxsize=16_384)  # each text is wrapped in a label and whole in a tooltip
def clean(text: str) -> str:
    """One line: white space becomes single spaces, and characters that pictures cannot show are replaced."""
    line = " ".join(text.split())
    return line if line.isprintable() else _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", line)


@lru_cache(maxsize=16_384)  # events, guards and actions are repeated in a large picture
def wrap(text: str, *, width: float, size: float, most: int | None = None) -> tuple[str, ...]:
    """Lines of at most ``width`` points. If there are more than ``most``, the last one ends with an ellipsis.

    Lines break at spaces. A word that is too wide breaks after its punctuation (``data.`` ``amount``), or else between
    characters.
    """
    text = clean(text)
    if _fits(text, width, size):
        return (text,) if text else ()
    lines: list[str] = []
    line = ""
    for piece in _pieces(text, width, size):
        if line and not _fits(line + piece, width, size):
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines += [line.rstrip()] if line else []
    if most is None or len(lines) <= most:
        return tuple(lines)
    return (*lines[: most - 1], _ended(lines[most - 1], width, size))


def _pieces(text: str, width: float, size: float, units: tuple[re.Pattern[str], ...] = _UNITS) -> Iterator[str]:
    """The unbreakable pieces of a text, each with the spaces behind it: the longest units that fit."""
    if not units:
        yield from text
        return
    for piece in units[0].findall(text):
        if _fits(piece, width, size):
            yield piece
        else:
            yield from _pieces(piece, width, size, units[1:])


def _fits(piece: str, width: float, size: float) -> bool:
    piece = piece.rstrip()
    return len(piece) * _WIDEST * size <= width or width_of(piece, size) <= width


def _ended(line: str, width: float, size: float) -> str:
    while line and width_of(f"{line}…", size) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
