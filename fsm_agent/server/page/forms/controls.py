"""What a form is made of: fields, each with the control that its schema calls for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from fsm_agent.domain.json import Json


class _Absent(Enum):
    ABSENT = "absent"


#: no value at all, where null would be one
ABSENT: Final = _Absent.ABSENT


class Empty(Enum):
    """What a control means that was left empty."""

    ABSENT = "the field is left out"
    NULL = "null"
    VALUE = "an empty text or list"
    MISSING = "a problem: the field must be filled"


@dataclass(frozen=True, slots=True)
class Text:
    """A text of one line, or of several."""

    format: str = ""
    is_line: bool = False
    min_length: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    is_integer: bool
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar."""


@dataclass(frozen=True, slots=True)
class Time:
    """A day, a time of day, and the offset that they are meant with. A schema demands an offset, and a server does not
    know the zone of a browser without script: so it is chosen, and is UTC unless somebody chooses another."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values: how a form sends it, and how a person reads it."""

    text: str
    label: str
    value: Json


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values; few and short ones are seen all at once."""

    options: tuple[Option, ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class Several:
    """Any of several values, each at most once."""

    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A box: one value if it is ticked, another or none if it is not."""

    on: Json
    off: Json = ABSENT


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that cannot be another."""

    value: Json


@dataclass(frozen=True, slots=True)
class Lines:
    """A list of texts or numbers, one on each line."""

    item: Field


@dataclass(frozen=True, slots=True)
class Rows:
    """A list whose items have controls of their own."""

    item: Field
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """An object: fields under one name."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """Any value, written as JSON."""

    #: the only type that it may have
    kind: str | None = None


Control: TypeAlias = Text | Number | Date | Time | Choice | Several | Tick | Fixed | Lines | Rows | Group | Raw


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. Its place is known to whoever walks to it: the item of a list has many."""

    name: str
    label: str
    control: Control
    #: what its author says of it, and what its schema demands, in words
    description: str = ""
    rules: str = ""
    #: whether the object around it needs it
    is_required: bool = True
    is_nullable: bool = False
    #: what an empty form starts with
    default: Any = ABSENT
    #: whether the engine takes the default for a field that is left out
    falls_back: bool = False
    empty: Empty = Empty.MISSING
    #: whether null is something else than what an empty control means, and so needs a box
    says_null: bool = False

    @property
    def is_always_there(self) -> bool:
        """Whether an object is part of every value, so that its fields need not be added first."""
        return self.is_required and not self.is_nullable

    @property
    def must_be_filled(self) -> bool:
        """Whether its control may not be left empty."""
        return self.empty is Empty.MISSING and not isinstance(self.control, Group | Fixed)
