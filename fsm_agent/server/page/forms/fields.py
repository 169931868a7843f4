"""The fields of a form, made from a JSON Schema. What has no control of its own is written as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from fsm_agent.data.typed_values import only_type
from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.page.forms import controls
from fsm_agent.server.page.forms.controls import ABSENT, Control, Empty, Field
from fsm_agent.server.page.forms.names import inside, is_sendable
from fsm_agent.server.page.forms.options import YES_OR_NO, choice, options_of
from fsm_agent.server.page.forms.plain_schema import declares_elsewhere, plain, types
from fsm_agent.server.page.forms.rules import rules_of

#: a payload is completed by the engine itself, and objects in it are not
PAYLOAD: Final = ("",)
#: how deep objects and lists get fieldsets of their own
_DEEPEST: Final = 4
#: a text of at most so many characters has one line
_ONE_LINE: Final = 80
#: so many options of a list are boxes to tick
_BOXES: Final = 20
#: what may refuse an empty text, beside its length
_TEXT_RULES: Final = ("pattern", "format")


class _Place(NamedTuple):
    """Where a schema stands."""

    root: Schema
    #: pointers of the objects whose fields the engine completes
    completed: Collection[str]
    #: ``None`` for what is no property of an object
    name: str | None = None
    pointer: str = ""
    depth: int = 0
    is_required: bool = True
    #: whether the engine gives the field its default, or null, where it is left out
    is_completed: bool = False

    def property(self, name: str, *, is_required: bool) -> _Place:
        return self._replace(
            name=name,
            pointer=inside(self.pointer, name),
            depth=self.depth + 1,
            is_required=is_required,
            is_completed=self.pointer in self.completed,
        )

    def item(self) -> _Place:
        return self._replace(
            name=None, pointer=inside(self.pointer, "-"), depth=self.depth + 1, is_required=True, is_completed=False
        )


def fields(schema: Schema, completed: Collection[str] = PAYLOAD) -> Field:
    """The form for an object, such as a payload: a group without a name, or JSON if its schema names no fields.

    ``completed`` are pointers of the objects in it whose fields the engine completes with their defaults, or null: a
    payload is one, and data that an agent starts with are another.
    """
    found = _field(schema, _Place(schema, completed))
    return found if isinstance(found.control, controls.Group) else replace(found, control=controls.Raw("object"))


def words(name: str) -> str:
    """A name as people read it."""
    text = name.replace("_", " ").strip() or name.strip()
    return text[:1].upper() + text[1:] if text else "(no name)"


def _field(schema: Json, place: _Place) -> Field:
    bare, is_nullable = plain(schema, place.root)
    control = _settled(_control(bare, place), bare, place, is_nullable=is_nullable)
    if isinstance(control, controls.Raw):
        control = controls.Raw(only_type(bare))
    title, name = bare.get("title"), place.name
    default = bare.get("default", ABSENT)
    falls_back = place.is_completed and default not in (ABSENT, None)
    needed = _Needed(place.is_required, is_nullable, falls_back)
    empty = _empty_json(needed) if isinstance(control, controls.Raw) else _empty(control, bare, needed)
    return Field(
        name or "",
        title if isinstance(title, str) and title.strip() else "" if name is None else words(name),
        control,
        description=str(bare.get("description", "")),
        rules=rules_of(control, bare, default if falls_back and empty is Empty.ABSENT else ABSENT),
        is_required=place.is_required,
        is_nullable=is_nullable,
        default=default,
        falls_back=falls_back,
        empty=empty,
        says_null=is_nullable and not (place.is_required or place.is_completed or isinstance(control, controls.Raw)),
    )


class _Needed(NamedTuple):
    """Whether a value is needed, and what there is instead of one."""

    is_required: bool
    is_nullable: bool
    falls_back: bool


def _empty_json(needed: _Needed) -> Empty:
    """JSON has words for null and for what is empty."""
    return Empty.MISSING if needed.is_required else Empty.ABSENT


def _empty(control: Control, schema: Schema, needed: _Needed) -> Empty:
    """What an empty control means. Where the engine would take the default for what is left out, the form has shown it
    already: who empties a list wants none, and who empties what may be null wants null."""
    is_list = isinstance(control, controls.Lines | controls.Rows | controls.Several)
    if needed.is_nullable and (needed.is_required or needed.falls_back):
        return Empty.NULL
    if not needed.is_required:
        return Empty.VALUE if is_list and needed.falls_back else Empty.ABSENT
    is_value = is_list or (isinstance(control, controls.Text) and _may_be_empty(schema))
    return Empty.VALUE if is_value else Empty.MISSING


def _may_be_empty(text: Schema) -> bool:
    rules = {key: text[key] for key in _TEXT_RULES if key in text}
    return text.get("minLength", 0) == 0 and (not rules or not Shape(rules).problems("", ""))


def _settled(control: Control, schema: Schema, place: _Place, *, is_nullable: bool) -> Control:
    """A choice that is none, or one of a value and its default, needs at most one box."""
    if not isinstance(control, controls.Choice) or is_nullable:
        return control
    if len(control.options) == 1:
        value = control.options[0].value
        return controls.Tick(value) if value is True or not place.is_required else controls.Fixed(value)
    is_settled = control.options == YES_OR_NO and place.is_completed and isinstance(schema.get("default"), bool)
    return controls.Tick(on=True, off=False) if is_settled else control


def _control(schema: Schema, place: _Place) -> Control:
    if (options := options_of(schema)) is not None:
        return choice(tuple(each for each in options if each.value is not None or len(options) == 1))
    match [*types(schema)]:
        case ["string"]:
            return _text(schema)
        case ["integer" | "number" as kind]:
            return _number(schema, is_integer=kind == "integer")
        case ["boolean"]:
            return choice(YES_OR_NO)
        case ["array" | "object" as kind]:
            return (_list if kind == "array" else _object)(schema, place)
        case _:
            return controls.Raw()


def _text(schema: Schema) -> Control:
    match schema.get("format"):
        case "date":
            return controls.Date()
        case "date-time":
            return controls.Time()
        case form:
            is_whole = re.match(r"\^.*\$\Z", str(schema.get("pattern", "")), re.DOTALL) is not None
            is_line = form is not None or is_whole or schema.get("maxLength", math.inf) <= _ONE_LINE
            return controls.Text(str(form or ""), is_line=is_line, min_length=int(schema.get("minLength", 0)))


def _number(schema: Schema, *, is_integer: bool) -> controls.Number:
    """Bounds of integers are integers: a browser counts its steps from the lower one."""
    bounds = [schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")]
    if is_integer:
        rounded = (math.ceil, lambda bound: math.floor(bound) + 1, math.floor, lambda bound: math.ceil(bound) - 1)
        bounds = [None if bound is None else change(bound) for bound, change in zip(bounds, rounded, strict=True)]
    lower = [bound for bound in bounds[:2] if bound is not None]
    upper = [bound for bound in bounds[2:] if bound is not None]
    return controls.Number(is_integer, max(lower, default=None), min(upper, default=None))


def _list(schema: Schema, place: _Place) -> Control:
    items = schema.get("items")
    if not isinstance(items, Mapping) or "prefixItems" in schema or place.depth >= _DEEPEST:
        return controls.Raw()
    item = plain(items, place.root)
    options = options_of(item.schema)
    if options and not item.is_nullable and len(options) <= _BOXES:
        return controls.Several(options)
    field = _field(items, place.item())
    match field.control:
        case controls.Text() | controls.Number() if not field.is_nullable:
            return controls.Lines(field)
        case controls.Raw() | controls.Lines() | controls.Rows() | controls.Several() | controls.Fixed():
            return controls.Raw()
        case _:
            return controls.Rows(field, int(schema.get("minItems", 0)), schema.get("maxItems"))


def _object(schema: Schema, place: _Place) -> Control:
    properties: Mapping[str, Any] = schema.get("properties", {})
    is_open = not properties and (place.depth > 0 or schema.get("additionalProperties") is not False)
    if is_open or place.depth >= _DEEPEST or declares_elsewhere(schema) or not all(map(is_sendable, properties)):
        return controls.Raw()
    required = schema.get("required", ())
    return controls.Group(
        tuple(_field(inner, place.property(name, is_required=name in required)) for name, inner in properties.items())
    )
