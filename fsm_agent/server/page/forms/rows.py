"""Buttons that add and remove rows of lists, and optional objects: they change what was typed, and judge nothing."""

from __future__ import annotations

from typing import NamedTuple

from fsm_agent.domain.text import shortened
from fsm_agent.server.page.forms.controls import Field, Group, Rows
from fsm_agent.server.page.forms.filled import new_object, new_row
from fsm_agent.server.page.forms.names import (
    ADD,
    REMOVE,
    Typed,
    first,
    given_name,
    inside,
    is_index,
    keys,
    row_count,
    row_name,
)
from fsm_agent.server.page.forms.places import innermost
from fsm_agent.server.page.forms.problems import Problem


class Edit(NamedTuple):
    """What was typed after a button has changed it, and where."""

    typed: Typed
    pointer: str
    problems: tuple[Problem, ...] = ()


def edit(form: Field, sent: Typed) -> Edit | None:
    """What the button did that sent the form; ``None`` if it was none of these."""
    if ADD not in sent and REMOVE not in sent:
        return None
    typed = {name: texts for name, texts in sent.items() if name not in {ADD, REMOVE}}
    pointer = first(sent, ADD if ADD in sent else REMOVE)
    found = innermost(form, pointer)
    is_known = found.pointer == pointer != ""
    done = (_added if ADD in sent else _removed)(found.field, pointer, typed) if is_known else None
    said = Problem(
        "", f"Nothing can be added or removed at {shortened(pointer)}: the form has changed since it was shown"
    )
    return done or Edit(typed, "", (said,))


def _added(field: Field, pointer: str, typed: Typed) -> Edit | None:
    match field.control:
        case Rows(item):
            row = inside(pointer, row_count(typed, pointer))
            return Edit({**typed, **new_row(item, row)}, row)
        case Group() if not field.is_always_there and given_name(pointer) not in typed:
            return Edit({**typed, **new_object(field, pointer)}, pointer)
        case _:
            return None


def _removed(field: Field, pointer: str, typed: Typed) -> Edit | None:
    if row_name(pointer) in typed:
        return Edit(_without_row(typed, pointer), _around(pointer))
    if given_name(pointer) in typed and isinstance(field.control, Group):
        return Edit({name: texts for name, texts in typed.items() if not _is_inside(name, pointer)}, pointer)
    return None


def _around(pointer: str) -> str:
    return pointer.rpartition("/")[0]


def _without_row(typed: Typed, row: str) -> Typed:
    """The rows behind it move up."""
    around, removed = _around(row), int(keys(row)[-1])
    moved = {}
    for name, texts in typed.items():
        index = _index(name, around)
        if index is None or index < removed:
            moved[name] = texts
        elif index > removed:
            word, _, rest = name.partition(f"{around}/{index}")
            moved[f"{word}{around}/{index - 1}{rest}"] = texts
    return moved


def _index(name: str, around: str) -> int | None:
    """The row of a list that a control is in."""
    pointer = name[name.find("/") :]
    if not pointer.startswith(f"{around}/"):
        return None
    key = pointer[len(around) + 1 :].partition("/")[0]
    return int(key) if is_index(key) else None


def _is_inside(name: str, pointer: str) -> bool:
    """Whether a control is of a value or of a part of it."""
    at = name[name.find("/") :]
    return at == pointer or at.startswith(f"{pointer}/")
