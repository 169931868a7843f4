"""Forms as HTML. They work without a script, and under a policy that allows no style and no script in the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import htpy as h

from fsm_agent.server.page.forms import choices, controls, inputs, names
from fsm_agent.server.page.forms.controls import Field
from fsm_agent.server.page.forms.fields import words
from fsm_agent.server.page.forms.look import Attributes, Look, about, button, carried, name_of
from fsm_agent.server.page.forms.names import Typed, inside
from fsm_agent.server.page.forms.places import row_label
from fsm_agent.server.page.forms.problems import Note, Problem, notes
from fsm_agent.server.page.texts import visible


def render(
    form: Field, typed: Typed, problems: Sequence[Problem] = (), *, prefix: str, changed: str | None = None
) -> h.Fragment:
    """The fields of a form with what was typed, and above them what is wrong with it.

    ``prefix`` makes all ids unique on a page with several forms; ``changed`` is the place that a button has changed,
    which gets the focus.
    """
    found = notes(form, problems)
    beside: dict[str, list[str]] = {}
    for note in found:
        beside.setdefault(note.pointer, []).append(note.text)
    look = Look(prefix, typed, beside, changed)
    is_json = look.is_sent(names.json_name("")) or not isinstance(form.control, controls.Group)
    fields = [inputs.raw(look, form, "", controls.Raw())] if is_json else _fields(look, form, "")
    if not fields and not found:
        return h.fragment[None]
    # A browser presses the first button of a form where somebody types Enter: that must be one that sends it.
    first = h.button(".first", type="submit", tabindex="-1", aria_hidden="true") if _has_buttons(form) else None
    return h.fragment[h.div(".form")[first, _summary(look, found), h.div(".fields")[fields] if fields else None]]


def _summary(look: Look, found: Sequence[Note]) -> h.Node:
    """What is wrong, with links to the fields. It has the focus when the page is shown, and so is read first."""
    if not found:
        return None
    title = look.id("", "title")
    count = "There is a problem" if len(found) == 1 else f"There are {len(found)} problems"
    return h.div(".problems", {"role": "group", "aria-labelledby": title, "tabindex": "-1", "autofocus": True})[
        h.p(id=title)[count],
        h.ul[[h.li[_link(look, note)] for note in found]],
    ]


def _link(look: Look, note: Note) -> h.Node:
    text = h.span(dir="auto")[visible(note.text)]
    if not note.pointer:
        return text
    return h.a(href=f"#{look.id(note.pointer)}")[h.span(dir="auto")[visible(note.label)], ": ", text]


def field(look: Look, each: Field, pointer: str) -> h.Element:
    """One field, with the control of its schema, or with one for JSON where that could not hold what was typed."""
    if look.is_sent(names.json_name(pointer)):
        return inputs.raw(look, each, pointer, controls.Raw())
    return _CONTROLS[type(each.control)](look, each, pointer, each.control)


def _fields(look: Look, group: Field, pointer: str) -> list[h.Element]:
    """The fields of an object. If it has the focus, its first control has it."""
    inner = group.control.fields if isinstance(group.control, controls.Group) else ()
    first = next((each for each in inner if not isinstance(each.control, controls.Fixed)), None)
    if first is not None and pointer and look.focus == pointer:
        look = replace(look, focus=inside(pointer, first.name))
    return [field(look, each, inside(pointer, each.name)) for each in inner]


def _group(look: Look, group: Field, pointer: str, _: controls.Group) -> h.Element:
    given = names.given_name(pointer)
    if not group.is_always_there and not look.is_sent(given):
        return _addable(look, group, pointer)
    return _fieldset(look, group, pointer, "group")[
        h.legend[name_of(group)],
        about(look, group, pointer),
        None if group.is_always_there else h.input(type="hidden", name=given),
        _fields(look, group, pointer),
        None if group.is_always_there else button(names.REMOVE, pointer, "Remove", of=group.label),
    ]


def _fieldset(look: Look, each: Field, pointer: str, kind: str) -> h.Element:
    """A group of controls that a link can lead to."""
    return h.fieldset({"class": kind, "id": look.id(pointer), "tabindex": "-1", **look.described(each, pointer)})


def _addable(look: Look, group: Field, pointer: str) -> h.Element:
    """An optional object that is not there."""
    more: Attributes = {"id": look.id(pointer), "autofocus": look.focus == pointer, **look.described(group, pointer)}
    return h.div(".field")[
        about(look, group, pointer),
        button(names.ADD, pointer, h.span["Add ", h.bdi[visible(group.label)]], more=more),
        inputs.boxes(look, group, pointer),
    ]


def _rows(look: Look, rows: Field, pointer: str, control: controls.Rows) -> h.Element:
    places = [inside(pointer, index) for index in range(names.row_count(look.typed, pointer))]
    given = names.given_name(pointer)
    return _fieldset(look, rows, pointer, "group")[
        h.legend[name_of(rows)],
        about(look, rows, pointer),
        h.input(type="hidden", name=given) if look.is_sent(given) else None,
        [_row(look, rows, control.item, place, index) for index, place in enumerate(places)],
        None
        if control.most is not None and len(places) >= control.most
        else button(names.ADD, pointer, "Add row", of=rows.label, more={"autofocus": look.focus == pointer}),
        None if places or not rows.says_null else inputs.null_box(look, pointer),
    ]


def _row(look: Look, rows: Field, item: Field, place: str, index: int) -> h.Element:
    """One row of a list. An object has its fields under one legend; a value is a field of its own."""
    item = replace(item, label=row_label(rows, item, index))
    remove = button(names.REMOVE, place, "Remove", of=item.label)
    marker = h.input(type="hidden", name=names.row_name(place))
    is_json = look.is_sent(names.json_name(place))
    if isinstance(item.control, controls.Group) and item.is_always_there and not is_json:
        parts = [h.legend[name_of(item)], marker, about(look, item, place), _fields(look, item, place), remove]
        return _fieldset(look, item, place, "row")[parts]
    return h.div(".row")[marker, field(look, item, place), remove]


def event_form(
    event: str,
    form: Field,
    typed: Typed,
    problems: Sequence[Problem] = (),
    *,
    action: str,
    prefix: str,
    hidden: Mapping[str, str] | None = None,
    described_by: str | None = None,
    changed: str | None = None,
) -> h.Element:
    """A form that sends an event; one without fields is a mere button.

    ``hidden`` is sent with it; ``described_by`` is the id of what it answers, such as a question, since several forms
    of a page may have buttons of one name.
    """
    fields = render(form, typed, problems, prefix=prefix, changed=changed)
    return h.form(".event", method="post", action=action)[
        [h.input(type="hidden", name=name, value=carried(value)) for name, value in (hidden or {}).items()],
        fields,
        h.button(".answer.main", type="submit", dir="auto", aria_describedby=described_by)[visible(words(event))],
    ]


def _has_buttons(form: Field) -> bool:
    """Whether a form has rows or objects that can be added."""
    inner = form.control.fields if isinstance(form.control, controls.Group) else ()
    return any(
        isinstance(each.control, controls.Rows)
        or (isinstance(each.control, controls.Group) and not each.is_always_there)
        or _has_buttons(each)
        for each in inner
    )


_CONTROLS: Final[Mapping[type, Callable[[Look, Field, str, Any], h.Element]]] = {
    controls.Text: inputs.text,
    controls.Number: inputs.number,
    controls.Date: inputs.date,
    controls.Time: inputs.time,
    controls.Lines: inputs.lines,
    controls.Raw: inputs.raw,
    controls.Choice: choices.choice,
    controls.Several: choices.several,
    controls.Tick: choices.tick,
    controls.Fixed: choices.fixed,
    controls.Rows: _rows,
    controls.Group: _group,
}
