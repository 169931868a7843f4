"""Forms as HTML: every control says what it is, what is wrong stands beside it, and no text gets out of its place."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.domain.json import Schema, object_schema
from fsm_agent.server.page.forms.controls import ABSENT
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.problems import Problem
from fsm_agent.server.page.forms.reader import read
from fsm_agent.server.page.forms.render import event_form
from tests.support.html_forms import Control, HtmlForm, parsed

TEXT: Schema = {"type": "string"}
ODD = [
    "</textarea></option><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp;amp;",
    "\x1b[31mred\x1b[0m\x07",
    "مرحبا \u202eabc",
    "\n\nfirst lines are empty",
    "x" * 100_000,
]


def html_of(
    schema: Schema, pairs: list[tuple[str, str]] | None = None, payload: Any = ABSENT, event: str = "said"
) -> str:
    form = fields(schema)
    if pairs is None:
        return str(event_form(event, form, filled(form, payload), action="/", prefix="one/said"))
    reading = read(pairs, schema)
    return str(event_form(event, form, reading.typed, reading.problems, action="/", prefix="one/said"))


def shown(field: Schema, *pairs: tuple[str, str], payload: Any = ABSENT) -> HtmlForm:
    return parsed(html_of(object_schema({"a": field}), [*pairs] or None, payload))


def control(field: Schema, *pairs: tuple[str, str], payload: Any = ABSENT) -> Control:
    return shown(field, *pairs, payload=payload).control("/a")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "field", [TEXT, {**TEXT, "maxLength": 9}, {"type": "integer"}, {"enum": ["a", "b"]}, {"enum": [*"abcdefg"]}]
)
def test_any_text_that_was_typed_is_shown_again_and_is_only_text(field: Schema, odd: str) -> None:
    html = html_of(object_schema({"a": field}), [("/a", odd), ("/b", odd)])
    assert "<script" not in html
    assert "<img" not in html
    form = parsed(html)
    assert [text for each in form.controls if each.name == "/a" for text in each.texts] == [odd]


@pytest.mark.parametrize("odd", ODD)
def test_any_text_of_a_schema_is_only_text(odd: str) -> None:
    field = {"title": odd, "description": odd, "examples": [odd], "default": odd, **TEXT}
    html = html_of(object_schema({odd: field, "b": {"enum": [odd, "b"]}, "c": {"const": odd}}), event=odd)
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b[" not in html.replace("\x1b[31mred\x1b[0m\x07</textarea>", "")
    form = parsed(html)
    assert {*form.references} <= form.ids.keys()


@pytest.mark.parametrize("typed", ["\ud800", "a\0b"])
def test_what_html_cannot_carry_is_marked(typed: str) -> None:
    assert "\N{REPLACEMENT CHARACTER}" in control(TEXT, ("/a", typed)).texts[0]
    html_of(object_schema({typed: {**TEXT, "title": typed}})).encode()


def test_what_a_field_is_for_and_what_is_wrong_describe_its_control() -> None:
    field = {**TEXT, "minLength": 2, "maxLength": 9, "description": "What for?"}
    form = shown(field, ("/a", "x"))
    found = form.control("/a").attributes
    assert found["aria-describedby"] == "one_2f_said-a-_about one_2f_said-a-_rules one_2f_said-a-_problem"
    assert (found["aria-invalid"], found["minlength"], "maxlength" in found) == ("true", "2", False)
    assert {*form.references} <= form.ids.keys()
    assert form.ids["one_2f_said-a-_problem"]["class"] == "problem"


def test_problems_are_listed_first_with_links_to_their_fields_in_the_order_of_the_form() -> None:
    schema = object_schema(
        {
            "b": {"type": "integer", "minimum": 3},
            "legs": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        }
    )
    html = html_of(schema, [("/x", ""), ("row:/legs/0", ""), ("/legs/0/a", "x"), ("/b", "1")])
    form = parsed(html)
    links = [each for each in form.references if each.startswith("one_2f_said-")]
    assert links[:3] == ["one_2f_said-_title", "one_2f_said-b", "one_2f_said-legs-0-a"]
    words = "".join(form.words)
    assert words.startswith("There are 3 problemsThe form has no field '/x'")
    assert "B: Must be at least 3Legs 1, A: 'x' is not" in words


def test_what_is_wrong_deep_in_a_field_names_its_place() -> None:
    form = fields(object_schema({"tags": {"type": "array", "items": {"type": "string", "maxLength": 1}}, "x": {}}))
    problems = [Problem("/tags/2", "Too long"), Problem("/x/legs/0/gate", "Wrong")]
    words = "".join(parsed(str(event_form("e", form, filled(form), problems, action="/", prefix="p"))).words)
    assert "Tags: Item 3: Too long" in words
    assert "X: Legs, item 1, gate: Wrong" in words


@pytest.mark.parametrize(
    ("field", "attributes"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "number", "step": "1", "min": "1", "max": "9"}),
        ({"type": "integer", "minimum": 0}, {"inputmode": "numeric"}),
        ({"type": "number", "exclusiveMinimum": 0.5}, {"step": "any", "min": "0.5", "inputmode": "decimal"}),
        ({"type": "integer"}, {"type": "number", "inputmode": None}),
        ({**TEXT, "format": "date"}, {"type": "date", "max": "9999-12-31"}),
        ({**TEXT, "format": "date-time"}, {"type": "datetime-local", "max": "9999-12-31T23:59:59.999"}),
        ({**TEXT, "format": "email"}, {"type": "text", "inputmode": "email", "autocapitalize": "none"}),
        ({**TEXT, "format": "uri"}, {"type": "text", "inputmode": "url", "spellcheck": "false"}),
        ({**TEXT, "format": "password"}, {"type": "text"}),
        ({**TEXT, "maxLength": 5}, {"type": "text", "dir": "auto", "required": None}),
        ({**TEXT, "maxLength": 5, "minLength": 1}, {"required": ""}),
    ],
)  # fmt: skip
def test_a_browser_is_told_what_a_field_takes(field: Schema, attributes: dict[str, str | None]) -> None:
    found = control(field).attributes
    assert {name: found.get(name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ({"type": "integer"}, "2.5"),
        ({"type": "integer"}, "12 o'clock"),
        ({"type": "number"}, "1,5"),
        ({**TEXT, "format": "date"}, "31.1.2027"),
        ({**TEXT, "format": "date"}, "2027-02-30"),
        ({**TEXT, "format": "date-time"}, "noon"),
        ({**TEXT, "format": "date-time"}, "2027-01-31T14:30+01:00"),
    ],
)
def test_a_text_that_a_field_of_its_kind_would_drop_is_shown_in_one_for_any_text(field: Schema, typed: str) -> None:
    found = control(field, ("/a", typed))
    assert (found.kind, found.texts) == ("text", [typed])


@pytest.mark.parametrize("text", ["9007199254740993", "-9223372036854775808", "1e22", "0.1"])
def test_numbers_are_shown_exactly(text: str) -> None:
    found = control({"type": "number" if "e" in text or "." in text else "integer"}, ("/a", text))
    assert (found.kind, found.texts) == ("number", [text])


def test_a_text_of_several_lines_has_a_field_for_them_whatever_its_schema_expects() -> None:
    found = control({**TEXT, "maxLength": 5}, ("/a", "x\ny"))
    assert (found.kind, found.texts) == ("textarea", ["x\ny"])


def test_a_time_of_another_zone_is_shown_in_that_zone() -> None:
    field = {**TEXT, "format": "date-time"}
    form = shown(field, payload={"a": "2027-01-31T14:30:00+05:45"})
    assert form.control("/a").texts == ["2027-01-31T14:30"]
    assert form.control("zone:/a").texts == ["+05:45"]
    assert shown(field).control("zone:/a").texts == ["+00:00"]
    assert shown(field, payload={"a": "2027-01-31T14:30:00Z"}).control("zone:/a").texts == ["Z"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({**TEXT, "maxLength": 9}, "a\0b"),
        (TEXT, "a\rb"),
        ({**TEXT, "format": "date-time"}, "2027-01-31t14:30:00.123456789z"),
        ({"type": "array", "items": TEXT}, ["a\nb"]),
        ({"type": "array", "items": TEXT}, [""]),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["b", "a"]),
        ({"type": "object", "properties": {"x": TEXT}}, {"y": 1}),
        ({"type": "array", "items": {"type": "object", "properties": {"x": TEXT}}}, [{}] * 201),
    ],
)
def test_a_value_that_the_control_of_its_field_cannot_hold_is_shown_as_json(field: Schema, value: Any) -> None:
    schema = object_schema({"a": field})
    form = parsed(html_of(schema, payload={"a": value}))
    assert form.control("json:/a").kind == "textarea"
    assert read(form.pairs(), schema).payload == {"a": value}


def test_an_event_without_fields_is_a_button() -> None:
    html = str(
        event_form(
            "all_fine",
            fields(object_schema({})),
            {},
            action="/a",
            prefix="p",
            hidden={"question": "7"},
            described_by="q",
        )
    )
    form = parsed(html)
    assert [(each.kind, each.name) for each in form.controls] == [("hidden", "question"), ("button", "")]
    assert form.words == ["All fine"]
    assert form.controls[1].attributes["aria-describedby"] == "q"


def test_ids_of_two_forms_with_any_prefixes_and_names_never_meet() -> None:
    names = ["a", "a-b", "a_b", "a/b", "_about", "-", "", "é", "A"]
    schema = object_schema({name: {**TEXT, "description": "x"} for name in names})
    form = fields(schema)
    forms = [
        str(event_form("e", form, filled(form), action="/", prefix=prefix)) for prefix in ("x", "x-a", "x/a", "x_2f_a")
    ]
    found = parsed("".join(forms))
    assert len(found.ids) == len(names) * 2 * len(forms)
    assert not any(character.isspace() for each in found.ids for character in each)


def test_boxes_are_shown_where_null_is_something_else_than_nothing() -> None:
    inner = {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}
    schema = object_schema({"a": {"type": "object", "properties": {"b": inner}, "required": ["b"]}})
    assert parsed(html_of(schema)).control("null:/a/b/x").texts == []
    assert parsed(html_of(schema, payload={"a": {"b": {"x": None}}})).control("null:/a/b/x").texts == ["on"]
