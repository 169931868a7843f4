"""One row in the list of what changed."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    REORDERED = "reordered"


class Level(StrEnum):
    """How much attention a change needs."""

    #: something that agents, senders or reviewers rely on is gone
    BREAKS = "breaks"
    LOOK = "look"
    #: no agent behaves differently
    FINE = "fine"


#: a mark in front of a row, the same everywhere
MARKS: Final = {
    ChangeKind.ADDED: "+",
    ChangeKind.REMOVED: "\N{MINUS SIGN}",
    ChangeKind.CHANGED: "~",
    ChangeKind.RENAMED: "\N{RIGHTWARDS ARROW FROM BAR}",
    ChangeKind.REORDERED: "\N{UPWARDS ARROW LEFTWARDS OF DOWNWARDS ARROW}",
}


class Change(NamedTuple):
    """One row. ``text`` and ``risk`` are sentences whose quotations stand between backticks; no quotation has a
    backtick inside."""

    kind: ChangeKind
    #: state, transition, timer, action, question, data, event, limit, property, description, ...
    what: str
    #: path of the state under its new name, or empty for the workflow itself
    where: str
    text: str
    old: Json = None
    new: Json = None
    #: what can happen now, or cannot any more; a sentence, or empty
    risk: str = ""
    level: Level = Level.LOOK
    #: which parts of the state or workflow have changed, see ``old_key`` and ``new_key``
    keys: tuple[str, ...] = ()
    #: whether a picture shows it
    is_drawn: bool = True

    @property
    def mark(self) -> str:
        return MARKS[self.kind]


class Row(NamedTuple):
    """A change with its number in the list, from 1. What changes nothing and is never drawn has none."""

    number: int | None
    change: Change

    def to_json(self) -> dict[str, Json]:
        change = self.change
        return {
            "number": self.number,
            "kind": str(change.kind),
            "what": change.what,
            "where": change.where,
            "text": change.text,
            "old": change.old,
            "new": change.new,
            "risk": change.risk,
            "level": str(change.level),
            "keys": list(change.keys),
        }


def kind_between(old: Json, new: Json) -> ChangeKind:
    """What happened to a thing that is ``None`` where it is not."""
    return ChangeKind.ADDED if old is None else ChangeKind.REMOVED if new is None else ChangeKind.CHANGED


def numbered(changes: Iterable[Change]) -> tuple[Row, ...]:
    """The list: what changes nothing for agents is last, and of that what is never drawn, which gets no number."""
    ordered = sorted(changes, key=lambda change: (change.level is Level.FINE, _is_silent(change)))
    return tuple(Row(None if _is_silent(each) else place, each) for place, each in enumerate(ordered, start=1))


def _is_silent(change: Change) -> bool:
    return change.level is Level.FINE and not change.is_drawn


def old_key(*parts: str | int) -> str:
    """A part of the old version: ``old:on.refund.0``, ``old:retry``, ``old:ask.to``. A state as a whole is
    ``old:state``."""
    return f"old:{'.'.join(map(str, parts))}"


def new_key(*parts: str | int) -> str:
    """A part of the new version, like ``old_key``."""
    return f"new:{'.'.join(map(str, parts))}"


def both_keys(*parts: str | int) -> tuple[str, str]:
    return old_key(*parts), new_key(*parts)
