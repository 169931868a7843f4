"""Each schema gets the control that asks for its values with the least effort."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.domain.json import Schema, object_schema
from fsm_agent.server.page.forms.controls import (
    ABSENT,
    Choice,
    Control,
    Date,
    Empty,
    Field,
    Fixed,
    Group,
    Lines,
    Number,
    Raw,
    Rows,
    Several,
    Text,
    Tick,
    Time,
)
from fsm_agent.server.page.forms.fields import fields

TEXT: Schema = {"type": "string"}
LONG = [f"number {number}" for number in range(6)]


def field(schema: Any) -> Field:
    """The field of a payload that has one."""
    [found] = parts(fields(object_schema({"some_field": schema})))
    return found


def parts(group: Field) -> tuple[Field, ...]:
    assert isinstance(group.control, Group)
    return group.control.fields


def texts(control: Control) -> list[str]:
    assert isinstance(control, Choice | Several)
    return [each.text for each in control.options]


@pytest.mark.parametrize(
    ("schema", "control"),
    [
        (TEXT, Text()),
        ({"type": ["string", "null"]}, Text()),
        ({"anyOf": [TEXT, {"type": "null"}]}, Text()),
        ({**TEXT, "minLength": 3}, Text(min_length=3)),
        ({**TEXT, "maxLength": 80}, Text(is_line=True)),
        ({**TEXT, "maxLength": 81}, Text()),
        ({**TEXT, "pattern": "^a+$"}, Text(is_line=True)),
        ({**TEXT, "pattern": "a"}, Text()),
        ({**TEXT, "format": "email"}, Text("email", is_line=True)),
        ({**TEXT, "format": "date"}, Date()),
        ({**TEXT, "format": "date-time"}, Time()),
        ({"type": "number", "minimum": 0.5}, Number(is_integer=False, minimum=0.5)),
        ({"type": "integer"}, Number(is_integer=True)),
        ({"type": "integer", "minimum": 0.5, "exclusiveMaximum": 3}, Number(is_integer=True, minimum=1, maximum=2)),
        ({"type": "integer", "exclusiveMinimum": 2, "maximum": 2**62 + 1}, Number(True, 3, 2**62 + 1)),
        ({"type": ["integer", "number"]}, Number(is_integer=False)),
        ({"type": "boolean", "default": True}, Tick(on=True, off=False)),
        ({"const": True}, Tick(on=True)),
        ({"const": "a"}, Fixed("a")),
        ({"enum": [7]}, Fixed(7)),
        ({"const": "a", "default": "a"}, Tick(on="a")),
        ({"type": "array", "items": TEXT}, Lines(Field("", "", Text(), empty=Empty.VALUE))),
        ({"type": "object"}, Raw("object")),
        ({"type": "array"}, Raw("array")),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, Raw("array")),
        ({"type": "array", "items": TEXT, "prefixItems": [TEXT]}, Raw("array")),
        ({}, Raw()),
        ({"type": ["string", "integer"]}, Raw()),
        ({"oneOf": [TEXT, {"type": "integer"}]}, Raw()),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT}, Raw("object")),
        ({"type": "object", "properties": {"a": TEXT}, "patternProperties": {"b": TEXT}}, Raw("object")),
        ({"type": "object", "properties": {"a": TEXT}, "anyOf": [{"properties": {"b": TEXT}}]}, Raw("object")),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["b"]}, Raw("object")),
        ({"type": "object", "properties": {"a\n": TEXT}}, Raw("object")),
    ],
)
def test_a_field_has_the_control_of_its_schema(schema: Schema, control: Control) -> None:
    assert field(schema).control == control


@pytest.mark.parametrize(
    ("schema", "is_list", "expected"),
    [
        ({"enum": ["a", "b"]}, False, ["a", "b"]),
        ({"enum": LONG}, True, LONG),
        ({"enum": ["a", "a rather long text for a button"]}, True, ["a", "a rather long text for a button"]),
        ({"enum": ["a", None]}, False, ["a"]),
        ({"enum": ["1", 1]}, False, ['"1"', "1"]),
        ({"enum": ["", "a"]}, False, ['""', '"a"']),
        ({"enum": ["a\r", "b"]}, False, ['"a\\r"', '"b"']),
        ({"type": "boolean"}, False, ["true", "false"]),
        ({"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}, False, ["1", "2"]),
    ],
)
def test_few_short_choices_are_buttons_and_others_a_list(schema: Schema, is_list: bool, expected: list[str]) -> None:
    control = field(schema).control
    assert isinstance(control, Choice)
    assert (control.is_list, texts(control)) == (is_list, expected)


def test_a_union_of_constants_names_its_values() -> None:
    control = field({"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}).control
    assert isinstance(control, Choice)
    assert [each.label for each in control.options] == ["One", "2"]


@pytest.mark.parametrize("items", [{"enum": LONG}, {"enum": [1, 2]}])
def test_a_list_of_choices_is_boxes(items: Schema) -> None:
    assert isinstance(field({"type": "array", "items": items}).control, Several)


@pytest.mark.parametrize(
    "items",
    [
        {"type": "boolean"},
        {"type": "string", "format": "date"},
        {"type": ["string", "null"]},
        {"type": "object", "properties": {"a": TEXT}},
        {"enum": [f"{number}" for number in range(21)]},
    ],
)
def test_a_list_of_other_controls_has_rows(items: Schema) -> None:
    control = field({"type": "array", "items": items, "minItems": 2, "maxItems": 3}).control
    assert isinstance(control, Rows)
    assert (control.least, control.most) == (2, 3)


def test_objects_are_groups_to_a_sensible_depth() -> None:
    schema: Schema = TEXT
    for _ in range(8):
        schema = {"type": "object", "properties": {"inner": schema}, "required": ["inner"]}
    found, depth = field(schema), 1
    while isinstance(found.control, Group):
        [found], depth = found.control.fields, depth + 1
    assert (depth, found.control) == (4, Raw("object"))


def test_a_reference_is_what_it_refers_to_and_one_that_never_ends_is_json() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node", "title": "The next"}}}
    schema = {**object_schema({"head": {"$ref": "#/$defs/node"}}), "$defs": {"node": node}}
    [head] = parts(fields(schema))
    [following] = parts(head)
    assert following.label == "The next"
    [third] = parts(following)
    [fourth] = parts(third)
    assert fourth.control == Raw("object")


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "array", "items": TEXT}, {}])
def test_a_payload_without_named_fields_is_json(schema: Schema) -> None:
    assert isinstance(fields(schema).control, Raw)


def test_an_event_without_fields_has_an_empty_form() -> None:
    assert parts(fields(object_schema({}))) == ()


@pytest.mark.parametrize(
    ("name", "schema", "label"),
    [
        ("due_date", TEXT, "Due date"),
        ("due_date", {**TEXT, "title": "until when"}, "until when"),
        ("due_date", {**TEXT, "title": " "}, "Due date"),
        ("", TEXT, "(no name)"),
        ("_", TEXT, "_"),
        ("סיבה", TEXT, "סיבה"),
    ],
)
def test_a_field_is_called_by_its_title_or_its_name(name: str, schema: Schema, label: str) -> None:
    [found] = parts(fields(object_schema({name: schema})))
    assert found.label == label


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "At least 1 and at most 9."),
        ({"type": "integer", "minimum": 0}, ""),
        ({"type": "number", "exclusiveMinimum": 0}, "More than 0."),
        ({**TEXT, "minLength": 2, "maxLength": 500}, "At least 2 characters. At most 500 characters."),
        ({**TEXT, "minLength": 1, "maxLength": 60}, ""),
        ({**TEXT, "examples": ["A-1"]}, "For example A-1."),
        ({**TEXT, "default": "x"}, "Left empty, it is x."),
        ({**TEXT, "default": "x" * 100}, f"Left empty, it is {'x' * 59}…."),
        ({"type": "array", "items": TEXT, "maxItems": 5}, "One on each line. At most 5 items."),
        ({"type": "object"}, 'Written as JSON, such as {"field": "value"}.'),
    ],
)
def test_what_a_field_demands_is_said_in_a_few_words(schema: Schema, rules: str) -> None:
    assert field(schema).rules == rules


#: what an empty control means: in a payload, and in an object inside it
EMPTY = [
    (TEXT, Empty.VALUE),
    ({**TEXT, "minLength": 1}, Empty.MISSING),
    ({**TEXT, "pattern": "^a*$"}, Empty.VALUE),
    ({**TEXT, "pattern": "^a+$"}, Empty.MISSING),
    ({**TEXT, "format": "email"}, Empty.MISSING),
    ({"type": "integer"}, Empty.MISSING),
    ({"type": "boolean"}, Empty.MISSING),
    ({"type": "object"}, Empty.MISSING),
    ({"type": "array", "items": TEXT}, Empty.VALUE),
    ({"type": ["string", "null"]}, Empty.ABSENT),
    ({**TEXT, "default": "x"}, Empty.ABSENT),
    ({"type": ["string", "null"], "default": "x"}, Empty.NULL),
    ({"type": "array", "items": TEXT, "default": []}, Empty.VALUE),
]


@pytest.mark.parametrize(("schema", "empty"), EMPTY)
def test_what_an_empty_control_means_depends_on_what_the_payload_needs(schema: Schema, empty: Empty) -> None:
    found = field(schema)
    assert (found.empty, found.says_null) == (empty, False)


@pytest.mark.parametrize(
    ("is_required", "empty", "says_null"), [(True, Empty.NULL, False), (False, Empty.ABSENT, True)]
)
def test_inside_an_object_null_is_not_the_same_as_nothing(is_required: bool, empty: Empty, says_null: bool) -> None:
    required = ["a"] if is_required else []
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": required}
    [found] = parts(field(schema))
    assert (found.empty, found.says_null, found.default) == (empty, says_null, ABSENT)


def test_the_objects_that_the_engine_completes_are_named() -> None:
    inner = object_schema({"a": {"type": ["string", "null"]}, "b": {"type": "boolean", "default": True}})
    schema = {"type": "object", "properties": {"data": inner}, "required": ["data"]}
    [[a, b]] = map(parts, parts(fields(schema, completed=("/data",))))
    assert (a.says_null, b.control) == (False, Tick(on=True, off=False))
    [[a, b]] = map(parts, parts(fields(schema)))
    assert (a.says_null, texts(b.control)) == (True, ["true", "false"])
