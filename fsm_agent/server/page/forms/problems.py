"""What is wrong with what was typed, and beside which field it is said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fsm_agent.data.delta import own
from fsm_agent.data.validation import Shape
from fsm_agent.data.violations import Violation
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import listed
from fsm_agent.errors import DataInvalid
from fsm_agent.server.page.forms.controls import Field, Rows
from fsm_agent.server.page.forms.names import inside, is_index, keys
from fsm_agent.server.page.forms.places import Step, way

#: a sentence of the validator may quote all of a value
_LONGEST: Final = 300


class Problem(NamedTuple):
    """A sentence about a place in the payload; without a place it is about all of it."""

    pointer: str
    text: str


MISSING: Final = "This is required"

#: keyword -> what to do about it, given what it demands
_SENTENCES: Final[Mapping[str, Callable[[Json], str]]] = {
    "required": lambda _: MISSING,
    "minLength": lambda least: f"Write at least {_counted(least, 'character')}",
    "maxLength": lambda most: f"Write at most {_counted(most, 'character')}",
    "minimum": lambda bound: f"Must be at least {bound}",
    "maximum": lambda bound: f"Must be at most {bound}",
    "exclusiveMinimum": lambda bound: f"Must be more than {bound}",
    "exclusiveMaximum": lambda bound: f"Must be less than {bound}",
    "multipleOf": lambda step: f"Must be a multiple of {step}",
    "pattern": lambda pattern: f"Must match {pattern}",
    "minItems": lambda least: f"Must have at least {_counted(least, 'item')}",
    "maxItems": lambda most: f"Must have at most {_counted(most, 'item')}",
    "uniqueItems": lambda _: "No item may be there twice",
    "minProperties": lambda least: f"Must have at least {_counted(least, 'field')}",
    "maxProperties": lambda most: f"Must have at most {_counted(most, 'field')}",
    "additionalProperties": lambda names: f"There is no field {listed(map(str, names))}",
}
_FORMATS: Final = {
    "email": "an email address, such as ana@example.org",
    "uri": "an address, such as https://example.org",
    "date": "a date",
    "date-time": "a time",
    "uuid": "a UUID",
}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def problems_of(payload: Json, schema: Schema, unread: Collection[str]) -> Iterator[Problem]:
    """What the validator of the engine finds wrong with a payload. Nothing is said of places that could not be read,
    nor of what is around or inside them: their values stand for nothing."""
    try:
        own(payload)
    except DataInvalid as error:
        yield Problem("", sentence(error.problems[0]))
        return
    for violation in Shape(schema).violations(payload):
        pointer = _pointer(violation)
        if not any(_is_within(pointer, other) or _is_within(other, pointer) for other in unread):
            yield Problem(pointer, _sentence(violation))


def _pointer(violation: Violation) -> str:
    """The place of a violation; of a field that is missing it is that of the field."""
    way = [*violation.way, violation.demand] if violation.keyword == "required" else violation.way
    pointer = ""
    for key in way:
        pointer = inside(pointer, key)
    return pointer


def _is_within(pointer: str, other: str) -> bool:
    return pointer == other or pointer.startswith(f"{other}/")


def _sentence(violation: Violation) -> str:
    if violation.keyword == "format" and violation.demand in _FORMATS:
        return f"Must be {_FORMATS[violation.demand]}"
    told = _SENTENCES.get(violation.keyword)
    return sentence(violation.message if told is None else told(violation.demand))


def sentence(text: str) -> str:
    """A sentence as it stands beside a field. Of a long one the middle is left out, where places and values stand."""
    text = text[:1].upper() + text[1:]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


class Note(NamedTuple):
    """A problem as it is said: beside which field, what that is called, and the sentence."""

    pointer: str
    label: str
    text: str


def notes(form: Field, problems: Sequence[Problem]) -> list[Note]:
    """The problems in the order of the form, those first that belong to no field. What is wrong deep inside a field
    names its place."""
    found = []
    for pointer, text in problems:
        steps = way(form, pointer)
        inner = keys(pointer)[len(steps) - 1 :]
        note = Note(steps[-1].pointer, _label(steps), f"{_place(inner)}: {text}" if inner else text)
        found.append(([step.position for step in steps], note))
    return [note for _, note in sorted(found, key=lambda each: each[0])]


def _label(steps: Sequence[Step]) -> str:
    """``Passengers 2, Name``: a row has the name of its list."""
    told = [step for step in steps[1:] if step is steps[-1] or not isinstance(step.field.control, Rows)]
    return ", ".join(step.label for step in told)


def _place(inner: list[str]) -> str:
    """``Item 3``, or ``legs, item 3, gate``."""
    told = ", ".join(f"item {int(key) + 1}" if is_index(key) else key for key in inner)
    return sentence(told)
