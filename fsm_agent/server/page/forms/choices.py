"""Controls that offer values: lists, buttons of which one is chosen, and boxes."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h

from fsm_agent.server.page.forms import names
from fsm_agent.server.page.forms.controls import Choice, Empty, Field, Fixed, Option, Several, Tick
from fsm_agent.server.page.forms.inputs import boxes, labelled
from fsm_agent.server.page.forms.look import Look, about, name_of
from fsm_agent.server.page.forms.options import label_of
from fsm_agent.server.page.texts import visible


def choice(look: Look, field: Field, pointer: str, control: Choice) -> h.Element:
    typed = look.text(pointer)
    none = _none(field, control)
    if control.is_list:
        return _list(look, field, pointer, [*none, *_with_typed(control.options, [typed])])
    chosen = [*_with_typed(control.options, [typed]), *none]
    return _group(look, field, pointer, _radios(look, field, pointer, chosen), is_radio=True)


def _none(field: Field, control: Choice) -> list[Option]:
    """The option that chooses none, where there may be none. What has a default starts with it, and needs no other."""
    match field.empty:
        case Empty.NULL:
            return [Option("", "No value", None)]
        case Empty.ABSENT if not field.falls_back:
            return [Option("", "No answer", None)]
        case Empty.MISSING if control.is_list:
            return [Option("", "Choose one", None)]
        case _:
            return []


def _with_typed(options: Sequence[Option], typed: Sequence[str]) -> list[Option]:
    """The options, and what was chosen though it is none of them."""
    known = {each.text for each in options}
    return [*options, *(Option(text, text, text) for text in typed if text not in known and text)]


def _list(look: Look, field: Field, pointer: str, options: Sequence[Option]) -> h.Element:
    typed = look.text(pointer)
    items = [
        h.option(value=each.text, selected=each.text == typed, dir="auto")[visible(each.label)] for each in options
    ]
    return labelled(look, field, pointer, h.select(look.attributes(field, pointer))[items])


def _radios(look: Look, field: Field, pointer: str, options: Sequence[Option]) -> list[h.Element]:
    typed = look.text(pointer)
    return [
        _option(look, pointer, place, each, type="radio", checked=each.text == typed,
                required=field.must_be_filled)
        for place, each in enumerate(options)
    ]  # fmt: skip


def _option(look: Look, pointer: str, place: int, option: Option, **attributes: h.Attribute) -> h.Element:
    """One of several buttons or boxes; the first has the id of the field, which a link to the field leads to."""
    at = look.id(pointer, f"option{place}" if place else "")
    has_focus = look.focus == pointer and not place
    return h.label(".option", for_=at)[
        h.input(id=at, name=pointer, value=option.text, autofocus=has_focus, **attributes),
        h.span(dir="auto")[visible(option.label)],
    ]


def _group(look: Look, field: Field, pointer: str, options: Sequence[h.Element], *, is_radio: bool) -> h.Element:
    is_wrong = bool(look.notes.get(pointer))
    radio = {"role": "radiogroup", "aria-invalid": "true" if is_wrong else None} if is_radio else {}
    if is_radio and field.must_be_filled:
        radio["aria-required"] = "true"
    return h.fieldset(".field", radio, look.described(field, pointer))[
        h.legend[name_of(field)],
        about(look, field, pointer),
        h.div(".options")[options],
        boxes(look, field, pointer),
    ]


def several(look: Look, field: Field, pointer: str, control: Several) -> h.Element:
    ticked = look.typed.get(pointer, ())
    wrong = "true" if look.notes.get(pointer) else None
    options = [
        _option(look, pointer, place, each, type="checkbox", checked=each.text in ticked, aria_invalid=wrong)
        for place, each in enumerate(_with_typed(control.options, ticked))
    ]
    return _group(look, field, pointer, options, is_radio=False)


def tick(look: Look, field: Field, pointer: str, control: Tick) -> h.Element:
    attributes = {**look.attributes(field, pointer), "type": "checkbox", "value": names.TICKED}
    value = None if control.on is True else [": ", h.span(dir="auto")[visible(label_of(control.on))]]
    return h.div(".field")[
        h.label(".option", for_=look.id(pointer))[
            h.input(attributes, checked=look.is_sent(pointer)), h.span[name_of(field), value]
        ],
        about(look, field, pointer),
    ]


def fixed(look: Look, field: Field, pointer: str, control: Fixed) -> h.Element:
    return h.div(".field", {"id": look.id(pointer), "tabindex": "-1"})[
        h.span(".label", dir="auto")[visible(field.label)],
        about(look, field, pointer),
        h.span(".fixed", dir="auto")[visible(label_of(control.value))],
    ]
