"""Text in Markdown, whatever it contains: nothing of it becomes markup, a mention or a formula."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

#: what Markdown, GitHub or GitLab might read as more than a character
_RISKY: Final = re.compile(r"[\\`*_{}\[\]()<>#+!|~$&@:^=-]")
#: what ends a code span or the cell around it
_RISKY_IN_CODE: Final = re.compile(r"[|\\`]")
_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain(text: str) -> str:
    """One line of text; risky characters become entities."""
    return _RISKY.sub(_entity, one_line(text))


def code(text: str) -> str:
    """One line of code, also in a cell of a table."""
    text = one_line(text)
    if not text:
        return ""
    return html_code(text) if _RISKY_IN_CODE.search(text) else f"`{text}`"


def html_code(text: str) -> str:
    """One line of code as HTML, which stands where Markdown is not read too."""
    return f"<code>{re.sub(r'[^A-Za-z0-9 ]', _entity, one_line(text))}</code>"


def sentence(text: str) -> str:
    """A sentence whose quotations stand between backticks. If they do not match, all of it is plain text."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return plain(text)
    return "".join(code(piece) if place % 2 else _words(piece) for place, piece in enumerate(pieces))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def fenced(text: str, language: str) -> str:
    """A block of code; no line of it can end the block."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.removesuffix(chr(10))}\n{fence}"


def _words(text: str) -> str:
    """Plain text between quotations keeps the blanks at its ends, and common punctuation as it is."""
    return re.sub(r"[\\*_{}\[\]<>#!|~$&@^]", _entity, one_line(text, keeps_ends=True))


def one_line(text: str, *, keeps_ends: bool = False) -> str:
    """Text without line breaks and without characters that steer what is around them; it may still be markup."""
    line = re.sub(r"\s+", " ", text)
    line = line if keeps_ends else line.strip()
    return "".join(map(_shown, line))


def _shown(character: str) -> str:
    return character if unicodedata.category(character) not in _STEERING else "\N{REPLACEMENT CHARACTER}"


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
