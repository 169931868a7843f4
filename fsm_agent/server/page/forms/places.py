"""Which field stands where in a form."""

from __future__ import annotations

from typing import NamedTuple

from fsm_agent.server.page.forms.controls import Field, Group, Rows
from fsm_agent.server.page.forms.names import inside, is_index, keys


class Step(NamedTuple):
    """One field on the way to a place: where it is, how many stand before it, and what it is called there."""

    field: Field
    pointer: str
    position: int
    label: str


def way(form: Field, pointer: str) -> list[Step]:
    """The form and the fields in it that lead to a place, as far as there are any."""
    steps = [Step(form, "", 0, form.label)]
    for key in keys(pointer):
        last = steps[-1]
        match last.field.control:
            case Group(fields) if key in (names := [each.name for each in fields]):
                inner, position = fields[names.index(key)], names.index(key)
                steps.append(Step(inner, inside(last.pointer, key), position, inner.label))
            case Rows(item) if is_index(key):
                steps.append(Step(item, inside(last.pointer, key), int(key), row_label(last.field, item, int(key))))
            case _:
                break
    return steps


def innermost(form: Field, pointer: str) -> Step:
    """The innermost field at or around a place."""
    return way(form, pointer)[-1]


def row_label(rows: Field, item: Field, index: int) -> str:
    """What one row of a list is called."""
    return f"{item.label or rows.label} {index + 1}"
