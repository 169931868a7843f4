"""What a browser sends, read as a payload.

Every name that was sent is looked for by a field, and each is taken once. What nobody looks for is refused: it was made
by another form than this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

from fsm_agent.data.delta import own
from fsm_agent.data.typed_values import json_example, read_json
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import shortened
from fsm_agent.errors import DataInvalid
from fsm_agent.server.page.forms import controls, leaves, names
from fsm_agent.server.page.forms.controls import ABSENT, Empty, Field
from fsm_agent.server.page.forms.fields import PAYLOAD, fields
from fsm_agent.server.page.forms.filled import gathered
from fsm_agent.server.page.forms.names import Typed, first, inside
from fsm_agent.server.page.forms.problems import MISSING, Problem, problems_of, sentence
from fsm_agent.server.page.forms.rows import edit

_BOTH: Final = "Either write something, or tick the box: not both"
_TWICE: Final = "This was sent twice: once is enough"
_UNKNOWN: Final = "The form has no field {}: it has changed since it was shown"


class Reading(NamedTuple):
    """What was sent. The payload is ``None`` if there is a problem, or if only a row was added or removed."""

    payload: dict[str, Json] | None
    typed: Typed
    problems: tuple[Problem, ...] = ()
    #: the place that a button has changed: the form is to be shown again, there
    changed: str | None = None


def read(
    pairs: Iterable[tuple[str, str]],
    schema: Schema,
    besides: Collection[str] = (),
    completed: Collection[str] = PAYLOAD,
) -> Reading:
    """Read the pairs of names and texts of a form for ``schema``; ``besides`` are the names of others in the form, and
    ``completed`` is what its fields were made with."""
    form = fields(schema, completed)
    sent = gathered(
        (leaves.same_line_ends(name), leaves.same_line_ends(text)) for name, text in pairs if name not in besides
    )
    change = edit(form, sent)
    if change is not None:
        return Reading(None, change.typed, change.problems, change.pointer)
    reader = _Reader(sent)
    payload = reader.value(form, "")
    problems = [*reader.refused(), *reader.problems]
    if payload is not ABSENT:
        problems += problems_of(payload, schema, {each.pointer for each in reader.problems})
    return Reading(None if problems else payload, sent, tuple(problems))


class _Reader:
    """Takes the texts that were sent, and notes what is wrong with them."""

    def __init__(self, sent: Typed) -> None:
        self._sent = sent
        self._taken: set[str] = set()
        self.problems: list[Problem] = []

    def refused(self) -> Iterator[Problem]:
        """What was sent and no field has taken."""
        for name in self._sent:
            if name not in self._taken:
                yield Problem("", _UNKNOWN.format(shortened(name)))

    def value(self, field: Field, pointer: str) -> Json:
        """The value of a field. What stands for nothing is null, and a problem says so."""
        self._taken.add(names.given_name(pointer))  # it counts only where nothing was typed
        if self._is_sent(names.json_name(pointer)):
            return self._json(field, pointer)
        value = self._control(field, pointer)
        if not field.says_null or not self._is_sent(names.null_name(pointer)):
            return value
        if value is not ABSENT:
            self._note(pointer, _BOTH)
        return None

    def _control(self, field: Field, pointer: str) -> Json:
        match field.control:
            case controls.Group(inner):
                return self._object(field, inner, pointer)
            case controls.Rows(item):
                return self._list(field, item, pointer)
            case controls.Several(options):
                return self._boxes(field, options, pointer)
            case controls.Tick(on, off):
                is_ticked = self._is_sent(pointer)
                return on if is_ticked else self._empty(field, pointer) if off is ABSENT else off
            case controls.Fixed(value):
                return value
            case _:
                return self._leaf(field, pointer)

    def _object(self, field: Field, inner: tuple[Field, ...], pointer: str) -> Json:
        if not field.is_always_there and not self._is_sent(names.given_name(pointer)):
            return self._empty(field, pointer)
        values = {each.name: self.value(each, inside(pointer, each.name)) for each in inner}
        return {name: value for name, value in values.items() if value is not ABSENT}

    def _list(self, field: Field, item: Field, pointer: str) -> Json:
        places = [inside(pointer, index) for index in range(names.row_count(self._sent, pointer))]
        if not places:
            return self._empty(field, pointer)
        self._taken.update(map(names.row_name, places))
        return [self.value(item, place) for place in places]

    def _boxes(self, field: Field, options: tuple[controls.Option, ...], pointer: str) -> Json:
        self._taken.add(pointer)
        ticked = self._sent.get(pointer, ())
        if not ticked:
            return self._empty(field, pointer)
        if len({*ticked}) < len(ticked):
            self._note(pointer, _TWICE)
        return [self._judged(pointer, partial(leaves.chosen, text, options)) for text in ticked]

    def _leaf(self, field: Field, pointer: str) -> Json:
        text, zone = self._text(pointer), leaves.UTC
        if isinstance(field.control, controls.Time) and self._is_sent(names.zone_name(pointer)):
            zone = first(self._sent, names.zone_name(pointer))
        if text == "" or (text.isspace() and not isinstance(field.control, controls.Text)):
            return self._empty(field, pointer)
        return self._judged(pointer, lambda: leaves.value_of(field.control, text, zone))

    def _json(self, field: Field, pointer: str) -> Json:
        text = self._text(names.json_name(pointer))
        kind = field.control.kind if isinstance(field.control, controls.Raw) else None
        example = json_example(kind)
        return self._judged(pointer, lambda: read_json(text, example)) if text.strip() else self._empty(field, pointer)

    def _judged(self, pointer: str, value_of: Callable[[], Json]) -> Json:
        """A value that can be kept; null if there is none, and a problem says so."""
        try:
            return own(value_of())
        except DataInvalid as error:
            self._note(pointer, error.problems[0])
        except ValueError as error:
            self._note(pointer, str(error))
        return None

    def _empty(self, field: Field, pointer: str) -> Json:
        """What a control means that was left empty."""
        is_given = field.empty is Empty.VALUE or self._is_sent(names.given_name(pointer))
        match field.control:
            case controls.Text() if is_given:
                return ""
            case controls.Lines() | controls.Rows() | controls.Several() if is_given:
                return []
            case _ if field.empty is Empty.MISSING:
                self._note(pointer, MISSING)
        return ABSENT if field.empty is Empty.ABSENT else None

    def _is_sent(self, name: str) -> bool:
        self._taken.add(name)
        return name in self._sent

    def _text(self, name: str) -> str:
        """The text of a control that sends one."""
        self._taken.add(name)
        if len(self._sent.get(name, ())) > 1:
            self._note(name.removeprefix(names.json_name("")), _TWICE)
        return first(self._sent, name)

    def _note(self, pointer: str, text: str) -> None:
        self.problems.append(Problem(pointer, sentence(text)))
