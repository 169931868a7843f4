"""What people type, read as values."""

from __future__ import annotations

import re
from datetime import datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.cli.input.values import meaning, payload_of, read_value
from fsm_agent.domain.json import Json, Schema, object_schema

ENUM: Schema = {"enum": ["red", 2, None]}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("2", {"type": "string"}, "2"),
        ('"x"', {"type": "string"}, '"x"'),
        (" 2 ", {"type": "integer"}, 2),
        ("-2", {"type": ["integer", "null"]}, -2),
        ("2", {"type": "number"}, 2),
        ("2.5", {"type": "number"}, 2.5),
        ("Yes", {"type": "boolean"}, True),
        ("n", {"type": "boolean"}, False),
        ("red", ENUM, "red"),
        ("2", ENUM, 2),
        ("null", ENUM, None),
        ("2027-01-02", {"type": "string", "format": "date"}, "2027-01-02"),
        ("2027-01-02T03:04:05+00:00", {"type": "string", "format": "date-time"}, "2027-01-02T03:04:05+00:00"),
        ('["a"]', {"type": "array"}, ["a"]),
        ('{"a": 1}', {}, {"a": 1}),
    ],
)
def test_a_value_is_read_by_its_type(text: str, schema: Schema, value: Json) -> None:
    assert read_value(text, schema) == value
    assert type(read_value(text, schema)) is type(value)


@pytest.mark.parametrize(
    ("text", "schema", "said"),
    [
        ("two", {"type": "integer"}, "'two' is not an integer, such as 3"),
        ("2.5", {"type": "integer"}, "'2.5' is not an integer, such as 3"),
        ("two", {"type": "number"}, "'two' is not a number, such as 3 or 2.5"),
        ("maybe", {"type": "boolean"}, "'maybe' is neither yes nor no"),
        ("blue", ENUM, "'blue' is none of the choices: red, 2, None"),
        ("02.01.2027", {"type": "string", "format": "date"}, "'02.01.2027' is not a date; write it like "),
        ("noon", {"type": "string", "format": "date-time"}, "'noon' is not a time; write it like "),
        ("[", {"type": "array"}, "'[' is not JSON"),
    ],
)
def test_a_value_of_another_type_is_told_what_is_allowed(text: str, schema: Schema, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        read_value(text, schema)


def test_a_time_without_an_offset_is_meant_where_it_is_typed() -> None:
    read = datetime.fromisoformat(read_value("2027-01-02 03:04", {"type": "string", "format": "date-time"}))
    assert read.tzinfo is not None
    assert read.replace(tzinfo=None) == datetime(2027, 1, 2, 3, 4)  # noqa: DTZ001 - as it was typed


@given(st.text())
def test_any_text_fills_the_only_required_text_field_unless_it_is_an_object(text: str) -> None:
    schema = object_schema({"said": {"type": "string"}, "note": {"type": ["string", "null"]}})
    payload = payload_of(text, "event", schema)
    assert payload == {"said": text} or text.lstrip().startswith("{")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"a": {"type": "string"}, "b": {"type": "string"}}, "event 'e' requires a, b: write a JSON object"),
        ({"a": {"type": ["string", "null"]}}, "event 'e' requires no field; it may have a: write a JSON object"),
        ({}, "event 'e' takes no field: leave VALUE out"),
    ],
)
def test_a_bare_value_needs_exactly_one_required_field(fields: dict[str, Schema], said: str) -> None:
    with pytest.raises(click.ClickException) as refused:
        payload_of("x", "e", object_schema(fields))
    assert refused.value.message.startswith(said)
    assert payload_of(None, "e", object_schema(fields)) == {}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "text"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer from 1 to 9"),
        ({"type": ["boolean", "null"]}, "yes or no"),
        ({"type": "string", "format": "date"}, "a date, YYYY-MM-DD"),
        (ENUM, "red or 2 or None"),
        ({"anyOf": []}, "JSON"),
    ],
)
def test_what_a_field_takes_is_said_in_a_few_words(schema: Schema, said: str) -> None:
    assert meaning(schema) == said
