"""What is known of a form where one of its fields is rendered, and the parts that all fields have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import htpy as h

from fsm_agent.server.page.forms import names
from fsm_agent.server.page.forms.controls import Field
from fsm_agent.server.page.forms.names import Typed
from fsm_agent.server.page.texts import visible

Attributes: TypeAlias = dict[str, h.Attribute]

#: characters that HTML does not carry
_UNCARRIED: Final = re.compile("[\x00\ud800-\udfff]")
_INSTEAD: Final = "\N{REPLACEMENT CHARACTER}"


def carried(text: str) -> str:
    """A text as a control holds it."""
    return _UNCARRIED.sub(_INSTEAD, text)


@dataclass(frozen=True, slots=True)
class Look:
    """What was typed in a form, what is wrong with it, and which of its places has the focus."""

    prefix: str
    typed: Typed
    notes: Mapping[str, Sequence[str]]
    focus: str | None = None

    def id(self, pointer: str, part: str = "") -> str:
        return names.element_id(self.prefix, pointer, part)

    def text(self, name: str) -> str:
        return carried(names.first(self.typed, name))

    def is_sent(self, name: str) -> bool:
        return name in self.typed

    def attributes(self, field: Field, pointer: str, *, name: str | None = None) -> Attributes:
        """What every control has: its name, what describes it, and whether it must be filled or is wrong."""
        return {
            "id": self.id(pointer),
            "name": pointer if name is None else name,
            "required": field.must_be_filled,
            "autofocus": self.focus == pointer,
            "aria-invalid": "true" if self.notes.get(pointer) else None,
            **self.described(field, pointer),
        }

    def described(self, field: Field, pointer: str) -> Attributes:
        parts = {"about": field.description, "rules": field.rules, "problem": self.notes.get(pointer)}
        ids = [self.id(pointer, part) for part, text in parts.items() if text]
        return {"aria-describedby": " ".join(ids) or None}


def name_of(field: Field) -> h.Node:
    """The label of a field, and whether it must be filled: in words, since a colour alone would not be seen by all."""
    mark = h.span(".mark", aria_hidden="true")["required"] if field.must_be_filled else None
    return [h.span(dir="auto")[visible(field.label)], mark]


def about(look: Look, field: Field, pointer: str) -> h.Node:
    """What stands between a label and its control: what the field is for, what it demands, and what is wrong."""
    wrong = look.notes.get(pointer, ())
    return [
        h.p(".hint", id=look.id(pointer, "about"), dir="auto")[visible(field.description)]
        if field.description
        else None,
        h.p(".hint", id=look.id(pointer, "rules"), dir="auto")[visible(field.rules)] if field.rules else None,
        h.p(".problem", id=look.id(pointer, "problem"), dir="auto")[visible("; ".join(wrong))] if wrong else None,
    ]


def box(look: Look, name: str, pointer: str, part: str, label: str) -> h.Node:
    """A box that says something about a value."""
    at = look.id(pointer, part)
    ticked = look.is_sent(name)
    return h.label(".box", for_=at)[
        h.input(type="checkbox", id=at, name=name, value=names.TICKED, checked=ticked), h.span[label]
    ]


def button(name: str, pointer: str, text: h.Node, *, of: str = "", more: Attributes | None = None) -> h.Element:
    """A button that changes the form: the browser need not be content with the rest of it."""
    attributes = {"type": "submit", "formnovalidate": True, "name": name, "value": pointer, **(more or {})}
    return h.button(".change", attributes)[text, h.span(".unseen", dir="auto")[f" {visible(of)}"] if of else None]
