"""What a browser sends becomes a payload, or a problem beside each field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.domain.json import Json, Schema, object_schema
from fsm_agent.server.page.forms.problems import Problem
from fsm_agent.server.page.forms.reader import read

TEXT: Schema = {"type": "string"}
LEG = {"type": "object", "properties": {"from": {**TEXT, "minLength": 1}, "gate": {"type": "integer"}},
       "required": ["from"], "additionalProperties": False}  # fmt: skip


def value(schema: Schema, *pairs: tuple[str, str]) -> Json:
    """What a payload has under ``a``; nothing is ``...``."""
    reading = read(pairs, object_schema({"a": schema}))
    assert reading.problems == ()
    assert reading.payload is not None
    return reading.payload.get("a", ...)


def problems(schema: Schema, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
    reading = read(pairs, object_schema({"a": schema}))
    assert reading.payload is None
    return [tuple(each) for each in reading.problems]


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (TEXT, " two\r\nlines ", " two\nlines "),
        (TEXT, "", ""),
        ({"type": "integer"}, " 9007199254740993 ", 9007199254740993),
        ({"type": "integer"}, "-9223372036854775808", -(2**63)),
        ({"type": "number"}, "0.1", 0.1),
        ({"type": "number"}, "3", 3),
        ({"type": "number"}, "1e3", 1000.0),
        ({**TEXT, "format": "date"}, "2027-01-31", "2027-01-31"),
        ({**TEXT, "format": "date-time"}, "2027-01-31T14:30", "2027-01-31T14:30:00+00:00"),
        ({**TEXT, "format": "date-time"}, "2027-01-31T14:30+05:45", "2027-01-31T14:30:00+05:45"),
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"enum": [1, "1"]}, '"1"', "1"),
        ({"type": "boolean"}, "false", False),
        ({"type": "array", "items": TEXT}, "x \r\n\r\n  \r\ny", ["x ", "y"]),
        ({"type": "array", "items": {"type": "number"}}, " 1\n2.5", [1, 2.5]),
        ({"type": ["string", "null"]}, "", ...),
        ({"type": ["integer", "null"]}, "  ", ...),
        ({"type": ["string", "null"], "default": "x"}, "", None),
        ({**TEXT, "default": "x"}, "", ...),
        ({"type": "array", "items": TEXT, "default": ["x"]}, "", []),
    ],
)
def test_a_text_is_read_by_the_schema_of_its_field(schema: Schema, text: str, expected: Json) -> None:
    found = value(schema, ("/a", text))
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("+02:00", "2027-01-31T14:30:00+02:00"), ("-03:30", "2027-01-31T14:30:00-03:30"), ("Z", "2027-01-31T14:30:00Z")],
)
def test_a_time_is_meant_with_the_offset_that_was_chosen(zone: str, expected: str) -> None:
    schema = {**TEXT, "format": "date-time"}
    assert value(schema, ("/a", "2027-01-31T14:30"), ("zone:/a", zone)) == expected
    assert value(schema, ("/a", "2027-01-31T14:30+01:00"), ("zone:/a", zone)) == "2027-01-31T14:30:00+01:00"


def test_a_box_says_what_an_empty_control_does_not_mean() -> None:
    inner = {"type": "object", "properties": {"x": {"type": ["string", "null"]}, "y": TEXT}}
    schema = {"type": "object", "properties": {"b": inner}, "required": ["b"]}
    there = [("/a/b/x", ""), ("/a/b/y", "")]
    assert value(schema, *there) == {"b": {}}
    assert value(schema, *there, ("null:/a/b/x", "on")) == {"b": {"x": None}}
    assert value(schema, *there, ("given:/a/b/y", "on")) == {"b": {"y": ""}}
    both = problems(schema, ("/a/b/x", "no"), ("/a/b/y", ""), ("null:/a/b/x", "on"))
    assert both == [("/a/b/x", "Either write something, or tick the box: not both")]


def test_a_box_that_is_not_ticked_sends_nothing_and_means_no() -> None:
    assert value({"type": "boolean", "default": True}) is False
    assert value({"type": "boolean", "default": True}, ("/a", "on")) is True
    assert value({"const": "x", "default": "x"}) is ...
    assert problems({"const": True}) == [("/a", "This is required")]


def test_boxes_are_a_list() -> None:
    schema = {"type": "array", "items": {"enum": ["x", "y", 1]}}
    assert value(schema, ("/a", "x"), ("/a", "1")) == ["x", 1]
    assert value(schema) == []
    assert problems(schema, ("/a", "z")) == [("/a", "'z' is none of the choices: x, y, 1")]
    assert problems(schema, ("/a", "x"), ("/a", "x")) == [("/a", "This was sent twice: once is enough")]


def test_objects_and_lists_are_read_from_their_parts() -> None:
    schema = {"type": "array", "items": LEG}
    sent = [
        ("row:/a/0", ""),
        ("/a/0/from", "x"),
        ("/a/0/gate", "7"),
        ("row:/a/1", ""),
        ("/a/1/from", "y"),
        ("/a/1/gate", ""),
    ]
    assert value(schema, *sent) == [{"from": "x", "gate": 7}, {"from": "y"}]
    assert value(schema) == []
    optional = {**LEG, "type": ["object", "null"]}
    assert value(optional) is ...
    assert value(optional, ("given:/a", ""), ("/a/from", "x"), ("/a/gate", "")) == {"from": "x"}


def test_any_field_may_be_sent_as_json() -> None:
    assert value({"type": "object"}, ("json:/a", '{"x":\r\n [1, null]}')) == {"x": [1, None]}
    assert value({"type": "integer"}, ("json:/a", "7")) == 7
    assert value({"type": ["object", "null"]}, ("json:/a", " ")) is ...
    payload = read([("json:", '{"x": 1}')], {"type": "object"}).payload
    assert payload == {"x": 1}


@pytest.mark.parametrize(
    ("schema", "pairs", "text"),
    [
        ({"type": "integer"}, [("/a", "")], "This is required"),
        ({"type": "integer"}, [], "This is required"),
        ({"type": "integer"}, [("/a", "2.5")], "'2.5' is not an integer, such as 3"),
        ({"type": "integer"}, [("/a", "9" * 19)], "The value is 9999999999999999999, and an integer must fit 64 bits"),
        ({"type": "number"}, [("/a", "1e999")], "The value is inf, and a number must be finite"),
        ({"type": "number"}, [("/a", "9007199254740993")], "9007199254740993 cannot be a `number`, which would make"),
        ({"type": "integer", "minimum": 3}, [("/a", "2")], "Must be at least 3"),
        ({"type": "number", "multipleOf": 0.5}, [("/a", "0.7")], "Must be a multiple of 0.5"),
        ({**TEXT, "minLength": 1}, [("/a", "")], "This is required"),
        ({**TEXT, "minLength": 3}, [("/a", "ab")], "Write at least 3 characters"),
        ({**TEXT, "maxLength": 1}, [("/a", "ab")], "Write at most 1 character"),
        ({**TEXT, "pattern": "^b$"}, [("/a", "a")], "Must match ^b$"),
        ({**TEXT, "format": "email"}, [("/a", "a")], "Must be an email address, such as ana@example.org"),
        ({**TEXT, "format": "ipv4"}, [("/a", "a")], '"a" is not a "ipv4"'),
        ({**TEXT, "format": "date"}, [("/a", "2027-02-30")], "'2027-02-30' is not a date; write it like 2027-01-31"),
        ({**TEXT, "format": "date-time"}, [("/a", "noon")], "'noon' is not a time; write it like 2027-01-31 14:30"),
        ({**TEXT, "format": "date-time"}, [("/a", "2027-01-31T14:30"), ("zone:/a", "+99:99")], "'+99:99' is not an"),
        ({"enum": ["a", "b"]}, [("/a", "c")], "'c' is none of the choices: a, b"),
        (TEXT, [("/a", "\ud800")], "The value is no Unicode text: surrogates not allowed"),
        ({"type": "object"}, [("json:/a", "{x}")], "'{x}' is not JSON (Expecting property name enclosed"),
        ({"type": "object"}, [("json:/a", "7")], '7 is not of type "object"'),
        ({"type": "object"}, [("json:/a", "[" * 9_000)], "The JSON is nested too deeply"),
        ({"type": "object"}, [("json:/a", '{"x":' * 200 + "1" + "}" * 200)], "X.x.x"),
        (TEXT, [("/a", "x"), ("/a", "x")], "This was sent twice: once is enough"),
        ({"type": "array", "items": {"enum": ["x"]}, "minItems": 1}, [], "Must have at least 1 item"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field(schema: Schema, pairs: list[tuple[str, str]], text: str) -> None:
    [(pointer, said)] = problems(schema, *pairs)
    assert pointer == "/a"
    assert said.startswith(text)


def test_all_problems_are_said_at_once_and_those_of_parts_at_their_place() -> None:
    fields = {
        "legs": {"type": "array", "items": LEG, "minItems": 2},
        "n": {"type": "integer"},
        "t": {**TEXT, "minLength": 2},
    }
    sent = [("row:/legs/0", ""), ("/legs/0/from", ""), ("/legs/0/gate", "x"), ("/n", "y"), ("/t", "z")]
    reading = read(sent, object_schema(fields))
    assert [each.pointer for each in reading.problems] == ["/legs/0/from", "/legs/0/gate", "/n", "/t"]
    fixed = read(
        [*sent[:1], ("/legs/0/from", "x"), ("/legs/0/gate", ""), ("/n", "1"), ("/t", "zz")], object_schema(fields)
    )
    assert fixed.problems == (Problem("/legs", "Must have at least 2 items"),)


def test_what_is_around_a_value_that_cannot_be_read_is_not_judged_by_what_stands_for_it() -> None:
    schema = {**LEG, "properties": {**LEG["properties"], "n": {"type": "integer"}}, "maxProperties": 1}
    assert problems(schema, ("/a/from", "x"), ("/a/gate", "x"), ("/a/n", "")) == [
        ("/a/gate", "'x' is not an integer, such as 3")
    ]


@pytest.mark.parametrize("name", ["/b", "a", "", "null:/a", "row:/a/0", "zone:/a", "json:/b", "/a/0", "_other", "/a\n"])
def test_names_that_the_form_does_not_have_are_refused(name: str) -> None:
    [(pointer, said)] = problems(TEXT, ("/a", "x"), (name, "y"))
    assert pointer == ""
    assert said == f"The form has no field {name!r}: it has changed since it was shown"


def test_names_of_others_in_the_form_are_left_to_them() -> None:
    reading = read([("question", "7"), ("/a", "x")], object_schema({"a": TEXT}), besides={"question"})
    assert reading.payload == {"a": "x"}
    assert "question" not in reading.typed


def test_what_was_typed_is_kept_whatever_is_wrong_with_it() -> None:
    sent = [("/a", " 12 o'clock\r\n"), ("/b", "x")]
    reading = read(sent, object_schema({"a": {"type": "integer"}}))
    assert reading.payload is None
    assert reading.typed == {"/a": (" 12 o'clock\n",), "/b": ("x",)}


def test_a_payload_nested_deeper_than_can_be_kept_is_a_problem_of_the_whole() -> None:
    deep: Any = 1
    for _ in range(99):
        deep = [deep]
    reading = read(
        [("json:/a/b", str(deep))], object_schema({"a": {"type": "object", "properties": {"b": {}}, "required": ["b"]}})
    )
    assert [each.pointer for each in reading.problems] == [""]
    assert "nested deeper than 100 levels" in reading.problems[0].text
