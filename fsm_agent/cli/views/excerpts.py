"""The line of a file that a finding is about, with a caret below the place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from fsm_agent.cli.blocks import visible
from fsm_agent.domain.finding import Finding, Place

#: limit of characters of a line if the output has no width
_LONGEST: Final = 100
#: a shorter excerpt would show nothing
_LEAST: Final = 20
_INDENT: Final = "    "
_CUT: Final = "…"


def with_excerpts(findings: Iterable[Finding], *, width: int | None = None) -> Iterator[tuple[Finding, str]]:
    """Each finding with two lines that end in a line feed, or with an empty text if its file has no such line. The
    lines fit a terminal of ``width`` columns."""
    longest = _LONGEST if width is None else max(width - len(_INDENT), _LEAST)
    files: dict[str, Sequence[str]] = {}
    for finding in findings:
        place = finding.place
        if place is None:
            yield finding, ""
            continue
        if place.file not in files:
            files[place.file] = _lines(Path(place.file))
        yield finding, _excerpt(place, files[place.file], longest)


def _excerpt(place: Place, lines: Sequence[str], longest: int) -> str:
    """The text around the place, with marks where it was cut, and a caret below the place."""
    line = lines[place.line - 1].expandtabs(1) if place.line <= len(lines) else ""
    start = max(place.column - 1 - longest * 3 // 5, 0)
    shown = line[start : start + longest].rstrip()
    if not shown:
        return ""
    shown = f"{_CUT if start else shown[:1]}{shown[1:]}"
    if start + longest < len(line.rstrip()):
        shown = f"{shown[:-1]}{_CUT}"
    before = visible(shown[: place.column - 1 - start])
    return f"{_INDENT}{visible(shown)}\n{_INDENT}{' ' * _cells(before)}^\n"


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def _lines(file: Path) -> Sequence[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff").split("\n")
    except (OSError, ValueError):  # the finding already says that it cannot be read
        return ()
