"""The tools of ``workflows/parts/research_topic.yaml``: a small library of notes, looked up in this folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from fsm_agent.errors import ToolError

NOTES: Final = Path(__file__).parent / "notes"


def search(query: str) -> list[str]:
    """Names of the notes that have a word of the query in them, those with most of them first.

    Args:
        query: A few words.
    """
    words = set(re.findall(r"\w+", query.lower()))
    found = {path.stem: len(words & _words(path)) for path in NOTES.glob("*.md")}
    return [name for name, count in sorted(found.items(), key=lambda each: (-each[1], each[0])) if count]


def read(note: str) -> str:
    """The text of a note.

    Args:
        note: Its name, as `search` gives it.
    """
    known = {path.stem: path for path in NOTES.glob("*.md")}
    if note not in known:
        raise ToolError(f"there is no note {note!r}; `search` gives the names of those there are")
    return known[note].read_text(encoding="utf-8")


def _words(path: Path) -> set[str]:
    return set(re.findall(r"\w+", path.read_text(encoding="utf-8").lower()))
