"""What a form shows of a payload, and a browser sends back, is that payload."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, note

from fsm_agent.data.validation import DataRules, PayloadRules, Shape
from fsm_agent.domain.json import Json, Schema, object_schema
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import event_form
from tests.support.html_forms import HtmlForm, parsed
from tests.support.hypothesis_settings import example_settings
from tests.support.payload_schemas import Example, examples


def shown(schema: Schema, payload: Any, reading: Reading | None = None) -> HtmlForm:
    form = fields(schema)
    typed = filled(form, payload) if reading is None else reading.typed
    problems = () if reading is None else reading.problems
    return parsed(str(event_form("said", form, typed, problems, action="/", prefix="one/said")))


def as_json(value: Json) -> str:
    return json.dumps(value, sort_keys=True, indent=1)


@pytest.mark.long
@example_settings(400)
@given(examples())
def test_what_is_shown_and_sent_back_is_the_same_payload(example: Example) -> None:
    note(ascii(example))
    schema = object_schema(example.fields)
    assert Shape(schema).problems(example.payload, "") == []
    html = shown(schema, example.payload)
    reading = read(html.pairs(), schema)
    assert reading.problems == ()
    assert reading.payload is not None
    rules = PayloadRules(Workflow("w", 1, "a", (State("a"),), events={"said": example.fields}))
    assert as_json(rules.complete("said", reading.payload)) == as_json(rules.complete("said", example.payload))
    again = shown(schema, None, reading)
    assert again.pairs() == html.pairs()
    assert {*html.references} <= html.ids.keys()


@example_settings(100)
@given(examples())
def test_so_it_is_with_an_object_inside_that_the_engine_completes(example: Example) -> None:
    schema = {"type": "object", "properties": {"data": object_schema(example.fields)}, "required": ["data"]}
    form = fields(schema, completed := ("/data",))
    typed = filled(form, {"data": example.payload})
    html = parsed(str(event_form("said", form, typed, action="/", prefix="one")))
    reading = read(html.pairs(), schema, completed=completed)
    assert reading.payload is not None
    rules = DataRules(example.fields)
    assert as_json(rules.initial(reading.payload["data"])) == as_json(rules.initial(example.payload))
