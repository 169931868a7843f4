"""What people type is read by the type of its field."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from fsm_agent.data.typed_values import read_json, read_number, read_time, read_value
from fsm_agent.domain.json import Json, Schema


def in_utc(typed: datetime) -> datetime:
    return typed.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["9007199254740993", "-9223372036854775808", "0"])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_an_integer_is_exact_however_long_it_is(text: str, kind: str) -> None:
    number = read_number(f" {text} ", kind)
    assert (type(number), str(number)) == (int, text)


def test_a_time_without_offset_is_meant_where_its_reader_says() -> None:
    assert read_time("2027-01-02 03:04", in_utc) == "2027-01-02T03:04:00+00:00"
    assert read_time("2027-01-02T03:04:05+02:00", in_utc) == "2027-01-02T03:04:05+02:00"


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string", "format": "date"}, " 2027-01-02 ", "2027-01-02"),
        ({"type": "string", "format": "email"}, " a@b.org ", " a@b.org "),
        ({"type": ["array", "null"]}, "[1]", [1]),
        ({"type": ["array", "string"]}, '"x"', "x"),
    ],
)
def test_a_value_is_read_by_its_type(schema: Schema, text: str, value: Json) -> None:
    assert read_value(text, schema, in_utc) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n}', "is not JSON (Expecting property name enclosed in double quotes, line 2, column 1); write 1"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ("1" * 5_000, "the JSON has a number that is too long"),
    ],
)
def test_what_is_not_json_is_told_where_it_is_not(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_json(text, "1")
