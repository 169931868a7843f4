"""How a difference looks: colours, glyphs and lines of what is new, gone, changed, or as before.

A glyph and a kind of line go with each colour, so that nothing depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.change.change import ChangeKind, Level
from fsm_agent.change.difference import Difference
from fsm_agent.render import style
from fsm_agent.render.style import Tone
from fsm_agent.render.union_lines import Status

GLYPHS: Final[Mapping[Status, str]] = {
    Status.SAME: "",
    Status.ADDED: "+",
    Status.REMOVED: "\N{MINUS SIGN}",
    Status.CHANGED: "~",
}
WORDS: Final[Mapping[Status, str]] = {
    Status.SAME: "",
    Status.ADDED: "new",
    Status.REMOVED: "gone",
    Status.CHANGED: "changed",
}
COUNTED: Final[Mapping[Status, str]] = {
    Status.ADDED: "added",
    Status.REMOVED: "removed",
    Status.CHANGED: "changed",
}
#: a sign at what must not be overlooked
WARNING: Final = "\N{WARNING SIGN}"

TONES: Final[Mapping[Status, Tone]] = {
    Status.SAME: Tone(style.FADED, style.PAPER, style.FADED_INK, style.FADED_INK, style.FADED, 1.0),
    Status.ADDED: Tone(style.ADDED, "#e2f4ee", style.INK, style.ADDED, style.ADDED, 2.6),
    Status.REMOVED: Tone(style.REMOVED, "#fbe8dd", style.REMOVED, style.REMOVED, style.REMOVED, 1.8),
    Status.CHANGED: Tone(style.CHANGED, "#fdf2d8", style.INK, style.CHANGED, style.CHANGED, 2.2),
}


def versions(difference: Difference) -> str:
    """A piece of a sentence about the numbers of both versions."""
    old, new = difference.old.version, difference.new.version
    if old != new:
        return f"version {old} → {new}"
    return f"version {new}" if difference.old.hash == difference.new.hash else f"version {new}, under the same number"


def counts(difference: Difference) -> dict[Status, int]:
    """How many rows are about what is new, gone or changed, without those that change nothing."""
    kinds = {
        Status.ADDED: (ChangeKind.ADDED,),
        Status.REMOVED: (ChangeKind.REMOVED,),
        Status.CHANGED: (ChangeKind.CHANGED, ChangeKind.RENAMED, ChangeKind.REORDERED),
    }
    return {
        status: sum(change.kind in of and change.level is not Level.FINE for change in difference.changes)
        for status, of in kinds.items()
    }
