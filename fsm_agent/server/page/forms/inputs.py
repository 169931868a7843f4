"""Controls of values without parts.

A browser drops a text that its kind of field could not mean, such as ``12 o'clock`` in a field for numbers. So that
what was typed is not lost, such a text is shown in a field for any text.

A browser must not refuse or change what the schema allows. Its idea of an email address is another one, its patterns
are another language, and it cuts what is pasted to a length in UTF-16: so the server alone judges these. It may ask for
what is missing, and for numbers within bounds.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Final

import htpy as h

from fsm_agent.server.page.forms import names
from fsm_agent.server.page.forms.controls import Date, Field, Lines, Number, Raw, Text, Time
from fsm_agent.server.page.forms.leaves import UTC
from fsm_agent.server.page.forms.look import Attributes, Look, about, box, name_of
from fsm_agent.server.page.texts import visible

_NUMBER: Final = re.compile(r"-?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d+", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)
#: offsets that are in use somewhere
_OFFSETS: Final = (
    "-12:00", "-11:00", "-10:00", "-09:30", "-09:00", "-08:00", "-07:00", "-06:00", "-05:00", "-04:00", "-03:30",
    "-03:00", "-02:00", "-01:00", "+00:00", "+01:00", "+02:00", "+03:00", "+03:30", "+04:00", "+04:30", "+05:00",
    "+05:30", "+05:45", "+06:00", "+06:30", "+07:00", "+08:00", "+08:45", "+09:00", "+09:30", "+10:00", "+10:30",
    "+11:00", "+12:00", "+12:45", "+13:00", "+14:00",
)  # fmt: skip
#: rows of the smallest and of the largest field for several lines
_ROWS: Final = (2, 12)
_JSON_ROWS: Final = (3, 20)


def labelled(look: Look, field: Field, pointer: str, *content: h.Node) -> h.Element:
    """A field with one control."""
    return h.div(".field")[
        h.label(for_=look.id(pointer))[name_of(field)],
        about(look, field, pointer),
        *content,
        boxes(look, field, pointer),
    ]


def boxes(look: Look, field: Field, pointer: str) -> h.Node:
    """Boxes for values that an empty control does not mean."""
    given = names.given_name(pointer)
    return [
        null_box(look, pointer) if field.says_null else None,
        box(look, given, pointer, "given", "Empty, and not left out") if look.is_sent(given) else None,
    ]


def null_box(look: Look, pointer: str) -> h.Node:
    return box(look, names.null_name(pointer), pointer, "null", "No value")


def text(look: Look, field: Field, pointer: str, control: Text) -> h.Element:
    attributes: Attributes = {**look.attributes(field, pointer), "dir": "auto"}
    typed = look.text(pointer)
    if control.min_length > 1:
        attributes["minlength"] = control.min_length
    if control.format:
        modes = {"email": "email", "idn-email": "email", "uri": "url", "iri": "url"}
        attributes |= {"inputmode": modes.get(control.format), "autocapitalize": "none", "spellcheck": "false"}
    make = _anything if control.is_line else _area
    return labelled(look, field, pointer, make(typed, attributes))


def _anything(typed: str, attributes: Attributes) -> h.BaseElement:
    """A field of one line, unless what was typed has more."""
    if "\n" in typed:
        return _area(typed, attributes)
    return h.input({"type": "text", "value": typed, **attributes})


def _area(typed: str, attributes: Attributes, rows: tuple[int, int] = _ROWS) -> h.Element:
    """A field for several lines. Its first line end is no text, and so there must be one."""
    height = min(max(typed.count("\n") + 1, rows[0]), rows[1])
    return h.textarea({"rows": height, **attributes})["\n" + typed]


def lines(look: Look, field: Field, pointer: str, _: Lines) -> h.Element:
    attributes: Attributes = {**look.attributes(field, pointer), "dir": "auto"}
    return labelled(look, field, pointer, _area(look.text(pointer), attributes))


def raw(look: Look, field: Field, pointer: str, _: Raw) -> h.Element:
    name = names.json_name(pointer)
    attributes = look.attributes(field, pointer, name=name)
    more: Attributes = {"class": "json", "spellcheck": "false", "autocapitalize": "none"}
    return labelled(look, field, pointer, _area(look.text(name), {**attributes, **more}, _JSON_ROWS))


def number(look: Look, field: Field, pointer: str, control: Number) -> h.Element:
    typed = look.text(pointer)
    attributes = look.attributes(field, pointer)
    if control.minimum is not None and control.minimum >= 0:  # the small keyboards of phones have no minus
        attributes["inputmode"] = "numeric" if control.is_integer else "decimal"
    if typed and (_INTEGER if control.is_integer else _NUMBER).fullmatch(typed) is None:
        return labelled(look, field, pointer, _anything(typed, attributes))
    bounds = {"min": control.minimum, "max": control.maximum}
    attributes |= {key: json.dumps(bound) for key, bound in bounds.items() if bound is not None}
    attributes["step"] = "1" if control.is_integer else "any"
    return labelled(look, field, pointer, h.input({"type": "number", "value": typed, **attributes}))


def date(look: Look, field: Field, pointer: str, _: Date) -> h.Element:
    typed = look.text(pointer)
    attributes = look.attributes(field, pointer)
    if typed and not _is_of_calendar(typed, _DATE):
        return labelled(look, field, pointer, _anything(typed, attributes))
    bounds = {"min": "0001-01-01", "max": "9999-12-31"}
    return labelled(look, field, pointer, h.input({"type": "date", "value": typed, **bounds, **attributes}))


def time(look: Look, field: Field, pointer: str, _: Time) -> h.Element:
    typed = look.text(pointer)
    attributes = look.attributes(field, pointer)
    if typed and not _is_of_calendar(typed, _TIME):
        return labelled(look, field, pointer, h.div(".pair")[_anything(typed, attributes), _zone(look, field, pointer)])
    bounds = {"min": "0001-01-01T00:00", "max": "9999-12-31T23:59:59.999"}
    has_seconds = len(typed) > len("2027-01-31T14:30")
    attributes["step"] = "any" if has_seconds else None
    control = h.input({"type": "datetime-local", "value": typed, **bounds, **attributes})
    return labelled(look, field, pointer, h.div(".pair")[control, _zone(look, field, pointer)])


def _is_of_calendar(typed: str, form: re.Pattern[str]) -> bool:
    try:
        datetime.fromisoformat(typed)
    except ValueError:
        return False
    return form.fullmatch(typed) is not None


def _zone(look: Look, field: Field, pointer: str) -> h.Element:
    chosen = look.text(names.zone_name(pointer)) or UTC
    label = f"{visible(field.label)}: time zone"
    return h.select(".zone", id=look.id(pointer, "zone"), name=names.zone_name(pointer), aria_label=label)[
        _offsets(chosen)
    ]


@lru_cache(maxsize=len(_OFFSETS))
def _offsets(chosen: str) -> str:
    """The options of a zone, as HTML that is made once."""
    offsets = ["Z" if each == UTC and chosen == "Z" else each for each in _OFFSETS]
    return str(
        h.fragment[
            [
                h.option(value=each, selected=each == chosen)["UTC" if each in {UTC, "Z"} else visible(f"UTC{each}")]
                for each in (offsets if chosen in offsets else [*offsets, chosen])
            ]
        ]
    )
