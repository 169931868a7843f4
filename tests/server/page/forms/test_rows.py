"""Buttons add and remove rows and optional objects; whatever else was typed stays."""

from __future__ import annotations

import pytest

from fsm_agent.domain.json import Schema, object_schema
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import event_form
from tests.support.html_forms import HtmlForm, parsed

LEG = {"type": "object", "properties": {"from": {"type": "string", "default": "here"}, "gate": {"type": "integer"}},
       "required": ["from"]}  # fmt: skip
DATES = {"type": "array", "items": {"type": "string", "format": "date"}}
SCHEMA = object_schema(
    {
        "note": {"type": "string"},
        "legs": {"type": "array", "items": {**LEG, "properties": {**LEG["properties"], "days": DATES}}, "maxItems": 3},
        "way/back": {**LEG, "type": ["object", "null"]},
    }
)


def pressed(html: HtmlForm, name: str, value: str, schema: Schema = SCHEMA) -> tuple[HtmlForm, Reading]:
    """The form after a button of it was pressed."""
    assert (name, value) in html.buttons()
    reading = read(html.pairs(name, value), schema)
    return shown(reading, schema), reading


def shown(reading: Reading | None = None, schema: Schema = SCHEMA) -> HtmlForm:
    form = fields(schema)
    reading = reading or Reading(None, filled(form))
    options = {"action": "/", "prefix": "p", "changed": reading.changed}
    return parsed(str(event_form("e", form, reading.typed, reading.problems, **options)))  # type: ignore[arg-type]


def focused(html: HtmlForm) -> list[str]:
    return [each.attributes.get("name", "") for each in html.controls if "autofocus" in each.attributes]


def test_a_row_is_added_with_its_defaults_and_the_focus_and_nothing_is_judged() -> None:
    html = shown()
    html.control("/note").texts = ["typed\nbefore"]
    html, reading = pressed(html, "_add", "/legs")
    assert (reading.payload, reading.problems, reading.changed) == (None, (), "/legs/0")
    assert html.control("/note").texts == ["typed\nbefore"]
    assert html.control("/legs/0/from").texts == ["here"]
    assert focused(html) == ["/legs/0/from"]


def test_a_row_that_is_removed_leaves_the_others_as_they_are() -> None:
    html = shown()
    for row in range(3):
        html, _ = pressed(html, "_add", "/legs")
        html.control(f"/legs/{row}/from").texts = [f"place {row}"]
        html.control(f"/legs/{row}/gate").texts = [str(row)]
    html, _ = pressed(html, "_add", "/legs/2/days")
    html.control("/legs/2/days/0").texts = ["2027-01-31"]
    html, reading = pressed(html, "_remove", "/legs/1")
    assert reading.changed == "/legs"
    assert focused(html) == ["_add"]
    sent = read(html.pairs(), SCHEMA)
    assert sent.problems == ()
    assert sent.payload is not None
    assert sent.payload["legs"] == [
        {"from": "place 0", "gate": 0},
        {"from": "place 2", "gate": 2, "days": ["2027-01-31"]},
    ]


def test_no_row_is_added_beyond_the_most() -> None:
    html = shown()
    for _ in range(3):
        html, _ = pressed(html, "_add", "/legs")
    assert ("_add", "/legs") not in html.buttons()


def test_a_list_starts_with_as_many_rows_as_it_must_have() -> None:
    schema = object_schema({"legs": {"type": "array", "items": LEG, "minItems": 2}})
    html = shown(schema=schema)
    assert [value for name, value in html.buttons() if name == "_remove"] == ["/legs/0", "/legs/1"]


def test_what_is_wrong_with_a_row_stays_typed_when_another_is_added() -> None:
    html, _ = pressed(shown(), "_add", "/legs")
    typed = [("/legs/0/gate", "12 o'clock") if name == "/legs/0/gate" else (name, text) for name, text in html.pairs()]
    reading = read([*typed, ("_add", "/legs")], SCHEMA)
    assert shown(reading).control("/legs/0/gate").texts == ["12 o'clock"]
    assert shown(reading).control("/legs/0/gate").kind == "text"


def test_an_optional_object_is_added_and_removed_whole() -> None:
    html = shown()
    assert ("_add", "/way~1back") in html.buttons()
    assert (sent := read(html.pairs(), SCHEMA).payload) is not None
    assert "way/back" not in sent
    html, reading = pressed(html, "_add", "/way~1back")
    assert focused(html) == ["/way~1back/from"]
    assert reading.problems == ()
    assert (sent := read(html.pairs(), SCHEMA).payload) is not None
    assert sent["way/back"] == {"from": "here"}
    html, _ = pressed(html, "_remove", "/way~1back")
    assert focused(html) == ["_add"]
    assert html.pairs() == shown().pairs()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_add", "/note"),
        ("_add", "/other"),
        ("_add", ""),
        ("_add", "/legs/0"),
        ("_remove", "/legs/0"),
        ("_remove", "/legs/00"),
        ("_remove", "/legs/" + "9" * 5_000),
        ("_remove", "/way~1back"),
        ("_remove", "/note"),
    ],
)
def test_a_button_that_the_form_does_not_have_changes_nothing(name: str, value: str) -> None:
    html = shown()
    reading = read(html.pairs(name, value), SCHEMA)
    assert shown(reading).pairs() == html.pairs()
    [problem] = reading.problems
    assert problem.pointer == ""
    assert "the form has changed since it was shown" in problem.text


def test_enter_sends_the_form_and_presses_no_other_button() -> None:
    """A browser presses the first button of a form where somebody types Enter."""
    assert shown().buttons()[0] == ("", "")
    assert ("_add", "/legs") in shown().buttons()
