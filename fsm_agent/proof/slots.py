"""What guards look at: slots, and the cells into which their values fall.

A slot is a thing that guards compare with literals (``data.total``, ``event.amount``, ``size(data.items)``,
``visits["paying"]``), or a condition that cannot be looked into. Its cells are few, and no guard tells two values of
one cell apart. What is known of a slot is a mask: the set of the cells in which its value may lie, as bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json, Schema

Mask: TypeAlias = int


class Gap(NamedTuple):
    """The numbers between two bounds, which do not belong to it; ``None`` is no bound."""

    low: float | None
    high: float | None

    def holds(self, value: float) -> bool:
        return (self.low is None or value > self.low) and (self.high is None or value < self.high)

    def contains(self, cell: Cell) -> bool:
        if not isinstance(cell, Gap):
            return is_number(cell) and self.holds(cell)
        is_above = self.low is None or (cell.low is not None and cell.low >= self.low)
        return is_above and (self.high is None or (cell.high is not None and cell.high <= self.high))

    def moved(self, by: float) -> Gap:
        return Gap(None if self.low is None else self.low + by, None if self.high is None else self.high + by)

    def example(self, *, is_integer: bool) -> float:
        if self.low is None:
            return 0 if self.high is None else self.high - 1
        if self.high is None or is_integer:
            return math.floor(self.low) + 1
        return (self.low + self.high) / 2


class Special(Enum):
    """Cells that are no JSON value and no gap."""

    #: any text that no guard names
    OTHER = auto()
    #: what the schema does not allow: guards see what an action wrote before it is judged
    INVALID = auto()
    #: the condition of the slot cannot be evaluated
    ERROR = auto()


Cell: TypeAlias = Any


class Slot(NamedTuple):
    """One thing that guards look at."""

    #: in CEL
    text: str
    cells: tuple[Cell, ...]
    #: the fields of the data that it depends on
    fields: frozenset[str] = frozenset()
    #: the event whose payload it depends on
    event: str | None = None
    #: the state whose visits it counts; empty where a condition depends on visits that are not known
    visits: str | None = None
    #: whether it is a condition that cannot be looked into
    is_condition: bool = False
    is_integer: bool = False
    #: whether every cell but INVALID has a value that the schema allows
    is_certain: bool = True

    @property
    def any(self) -> Mask:
        """Every value that the schema allows."""
        return self.where(lambda cell: cell is not Special.INVALID)

    @property
    def anything(self) -> Mask:
        """Every value whatever."""
        return (1 << len(self.cells)) - 1

    def where(self, test: Callable[[Cell], bool]) -> Mask:
        return sum(1 << place for place, cell in enumerate(self.cells) if test(cell))

    def of_value(self, value: Json) -> Mask:
        """The cell in which a value lies; every cell, if it is in none."""
        exact = self.where(lambda cell: is_same(cell, value))
        return exact or self._holding(value) or self.anything

    def chosen(self, mask: Mask) -> list[Cell]:
        return [cell for place, cell in enumerate(self.cells) if mask >> place & 1]

    def shifted(self, mask: Mask, by: int) -> Mask:
        """Where integers come to when ``by`` is added to each; null has no sum."""
        found = 0
        for cell in self.chosen(mask):
            if isinstance(cell, Gap):
                found |= self.overlapped(cell.moved(by))
            elif is_number(cell):
                found |= self._holding(cell + by)
            elif cell is Special.INVALID:
                found |= self.any
        return found

    def overlapped(self, gap: Gap) -> Mask:
        return self.where(lambda cell: _overlaps(cell, gap))

    def _holding(self, value: Json) -> Mask:
        return self.where(lambda cell: _may_hold(cell, value))

    def examples(self, mask: Mask) -> tuple[Json, ...]:
        """A value for each cell of a mask, as far as there is one that can be named."""
        return tuple(self._example(cell) for cell in self.chosen(mask) if cell not in (Special.INVALID, Special.ERROR))

    def _example(self, cell: Cell) -> Json:
        if isinstance(cell, Gap):
            return cell.example(is_integer=self.is_integer)
        if cell is not Special.OTHER:
            return cell
        named, text = {each for each in self.cells if isinstance(each, str)}, "other"
        while text in named:
            text = f"another {text}"
        return text


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are equal to CEL: 1 is 1.0, and neither is true."""
    if is_number(one) and is_number(other):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def _may_hold(cell: Cell, value: Json) -> bool:
    if isinstance(cell, Gap):
        return is_number(value) and cell.holds(value)
    return is_same(cell, value) or (cell is Special.OTHER and isinstance(value, str))


def _overlaps(cell: Cell, gap: Gap) -> bool:
    if not isinstance(cell, Gap):
        return is_number(cell) and gap.holds(cell)
    lows = [bound for bound in (cell.low, gap.low) if bound is not None]
    highs = [bound for bound in (cell.high, gap.high) if bound is not None]
    return not lows or not highs or max(lows) < min(highs)


# --------------------------------------------------------------------------- cells of a schema

_TYPES: Final = frozenset({"boolean", "integer", "number", "string", "null"})
#: keywords of a schema that leave each cell a value
_PLAIN: Final = frozenset({"type", "enum", "minimum", "maximum", "default", "title", "description", "examples"})
#: an integer that has no more values than this is a cell for each of them
_MOST_POINTS: Final = 33
_ORDER: Final = frozenset({"_<_", "_<=_", "_>_", "_>=_"})


def scalar_types(schema: Schema) -> frozenset[str]:
    """The JSON types of a plain scalar that may be null; empty for any other schema."""
    said = schema.get("type", ())
    types = frozenset([said] if isinstance(said, str) else said)
    return types if types <= _TYPES and len(types - {"null"}) == 1 else frozenset()


def is_comparable(schema: Schema, operator: str, literals: Iterable[Json]) -> bool:
    """Whether it can be told of each cell what an operator makes of it and the literals."""
    types = scalar_types(schema)
    if operator == "":
        return "boolean" in types
    if operator in _ORDER:
        return bool(types & {"integer", "number"}) and all(map(is_number, literals))
    return bool(types)


def is_plain(schema: Schema) -> bool:
    return schema.keys() <= _PLAIN


def cells_of(schema: Schema, literals: Iterable[Json]) -> tuple[Cell, ...]:
    """The cells of a plain scalar, of which guards know these literals."""
    types = scalar_types(schema)
    null = (None,) if "null" in types else ()
    if "enum" in schema:
        return tuple(schema["enum"])
    if "boolean" in types:
        return (False, True, *null)
    if "string" in types:
        return (*sorted({each for each in literals if isinstance(each, str)}), Special.OTHER, *null)
    return (*_numbers(schema, {each for each in literals if is_number(each)}, is_integer="integer" in types), *null)


def _numbers(schema: Schema, literals: set[float], *, is_integer: bool) -> tuple[Cell, ...]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if is_integer and isinstance(least, int) and isinstance(most, int) and most - least < _MOST_POINTS:
        return tuple(range(least, most + 1))
    inside = [each for each in sorted(literals) if (least is None or each >= least) and (most is None or each <= most)]
    below = None if least is None else least - 1 if is_integer else math.nextafter(least, -math.inf)
    above = None if most is None else most + 1 if is_integer else math.nextafter(most, math.inf)
    cells: list[Cell] = []
    for low, high in zip([below, *inside], [*inside, above], strict=True):
        if low is not None and low in inside and (not is_integer or float(low).is_integer()):
            cells.append(low)
        gap = Gap(low, high)
        if not _is_empty(gap, is_integer=is_integer):
            cells.append(gap)
    return tuple(cells)


def _is_empty(gap: Gap, *, is_integer: bool) -> bool:
    if gap.low is None or gap.high is None:
        return False
    return math.floor(gap.low) + 1 >= gap.high if is_integer else math.nextafter(gap.low, math.inf) >= gap.high


def counts(literals: Iterable[int]) -> tuple[Cell, ...]:
    """The cells of a number that is counted up from nothing."""
    most = max([0, *literals])
    return (*range(most + 1), Gap(most, None))


def schema_at(schema: Schema, keys: Iterable[str]) -> Mapping[str, Any]:
    """The schema of what lies below; empty where that is not said."""
    for key in keys:
        schema = schema.get("properties", {}).get(key, {})
    return schema
