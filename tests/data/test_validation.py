"""Data and payloads against their schemas: only what changed is judged, and as the whole would be."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fsm_agent.data.data import Data, View, changes
from fsm_agent.data.draft import DictDraft, ListDraft
from fsm_agent.data.validation import DataRules, PayloadRules, Shape, schema_problem
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import DataInvalid, PayloadInvalid

INTEGER = {"type": "integer"}
NULLABLE = {"type": ["string", "null"]}


def declared(**kinds: Any) -> Workflow:
    """A workflow with these data fields, and an event ``said`` with the same payload fields."""
    return Workflow("w", 1, "a", (State("a"),), data=kinds, events={"said": kinds, "bare": {}})


def changed(schema: dict[str, Any], value: Any, change: Any) -> list[str]:
    """What is wrong with a field after ``change`` has been made to its draft; empty if nothing is."""
    rules = DataRules(declared(field=schema).data)
    data = Data(rules.initial({"field": value}))
    change(data.field)
    try:
        rules.check(changes(data), View(data))
    except DataInvalid as error:
        return list(error.problems)
    return []


def test_at_creation_data_is_total() -> None:
    rules = DataRules(declared(name=NULLABLE, count={"type": "integer", "default": 3}, must=INTEGER).data)
    assert rules.initial({"must": 1}) == {"name": None, "count": 3, "must": 1}


def test_everything_wrong_at_creation_is_said_at_once() -> None:
    rules = DataRules(declared(name=NULLABLE, count={"type": "integer", "minimum": 1}, must=INTEGER).data)
    with pytest.raises(DataInvalid) as refused:
        rules.initial({"nam": "x", "count": 0})
    assert refused.value.problems == (
        "there is no field 'nam' (did you mean `name`?); declared: name, count, must",
        "count: 0 is less than the minimum of 1",
        "must must be given: it has no default and may not be null",
    )


def test_a_default_is_not_shared_by_the_agents() -> None:
    rules = DataRules(declared(log={"type": "array", "default": []}).data)
    rules.initial({})["log"].append(1)
    assert rules.initial({}) == {"log": []}


def test_numbers_are_64_bit_and_finite() -> None:
    rules = DataRules(declared(n={"type": "number"}).data)
    assert rules.initial({"n": -(2**63)}) == {"n": -(2**63)}
    for odd in (2**63, float("inf")):
        with pytest.raises(DataInvalid, match="n is "):
            rules.initial({"n": odd})


ODD = 2**53 + 1
NUMBER = {"type": "number"}
AMOUNT = {"type": "object", "properties": {"amount": NUMBER, "id": INTEGER}, "additionalProperties": NUMBER}


@pytest.mark.parametrize("schema", [NUMBER, {"type": ["number", "null"]}, {"anyOf": [NUMBER, {"type": "null"}]}])
@pytest.mark.parametrize("number", [ODD, -ODD, 2**63 - 1])
def test_an_integer_that_no_number_is_equal_to_is_no_number(schema: dict[str, Any], number: int) -> None:
    rules = DataRules(declared(n=schema).data)
    near = int(float(number))
    why = f"n: {number} cannot be a `number`, which would make {near} of it: declare an `integer`"
    with pytest.raises(DataInvalid, match=why):
        rules.initial({"n": number})
    data = Data(rules.initial({"n": 2**53}))
    data.n = number
    with pytest.raises(DataInvalid, match=why):
        rules.check(changes(data), View(data))
    with pytest.raises(PayloadInvalid, match=why):
        PayloadRules(declared(n=schema)).complete("said", {"n": number})


@pytest.mark.parametrize(
    ("schema", "value", "change", "place"),
    [
        ({"type": "array", "items": NUMBER}, [], lambda items: items.append(ODD), "field[]"),
        ({"type": "array", "items": AMOUNT}, [{}], lambda items: items[0].update(amount=ODD), "field[0].amount"),
        ({"type": "array", "items": AMOUNT}, [], lambda items: items.append({"other": ODD}), "field[].other"),
        (AMOUNT, {}, lambda trip: trip.update(amount=ODD), "field.amount"),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": AMOUNT}},
            {},
            lambda trip: trip.update(amount=ODD),
            "field.amount",
        ),
    ],
)
def test_such_an_integer_is_found_wherever_it_stands(schema: Any, value: Any, change: Any, place: str) -> None:
    why = f"{place}: {ODD} cannot be a `number`, which would make {ODD - 1} of it: declare an `integer`"
    assert changed(schema, value, change) == [why]


@pytest.mark.parametrize(
    ("schema", "value"),
    [(NUMBER, 2**53), (NUMBER, 2**62), (NUMBER, 1.5), (INTEGER, ODD), ({}, ODD), (AMOUNT, {"id": ODD, "amount": 3})],
)
def test_every_other_integer_is_as_good_as_before(schema: dict[str, Any], value: Any) -> None:
    assert DataRules(declared(n=schema).data).initial({"n": value}) == {"n": value}


def test_a_change_deep_inside_is_judged_by_the_schema_of_its_place() -> None:
    leg = {"type": "object", "properties": {"gate": INTEGER}, "additionalProperties": {"type": "string"}}
    schema = {"type": "object", "properties": {"legs": {"type": "array", "items": leg}}}
    value = {"legs": [{"gate": 1}]}

    def first(trip: Any) -> Any:
        return trip["legs"][0]

    assert changed(schema, value, lambda trip: first(trip).update(gate=2, note="x")) == []
    assert changed(schema, value, lambda trip: first(trip).update(gate="2")) == [
        'field.legs[0].gate: "2" is not of type "integer"'
    ]
    assert changed(schema, value, lambda trip: first(trip).update(note=1)) == [
        'field.legs[0].note: 1 is not of type "string"'
    ]
    assert changed(schema, value, lambda trip: trip["legs"].append({"gate": None})) == [
        'field.legs[].gate: null is not of type "integer"'
    ]


def test_what_a_removal_breaks_is_seen() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}}
    assert changed(schema, {"a": {"b": 1}}, lambda field: field["a"].pop("b")) == [
        'field.a: "b" is a required property'
    ]


def test_a_key_that_looks_like_a_number_is_a_key() -> None:
    schema = {"type": "object", "properties": {"1": INTEGER}, "additionalProperties": False}
    assert changed(schema, {"1": 1}, lambda field: field.update({"1": 2})) == []
    assert changed(schema, {"1": 1}, lambda field: field.update({"1": "x"})) == [
        'field[1]: "x" is not of type "integer"'
    ]


def test_a_place_that_refers_to_definitions_of_the_whole_is_judged_by_the_whole() -> None:
    schema = {
        "type": "object",
        "properties": {"leg": {"$ref": "#/$defs/leg"}, "legs": {"type": "array", "items": {"$ref": "#/$defs/leg"}}},
        "$defs": {"leg": {"type": "object", "properties": {"gate": INTEGER}}},
    }
    value: dict[str, Any] = {"legs": []}
    assert changed(schema, value, lambda trip: trip.update(leg={"gate": 1})) == []
    assert changed(schema, value, lambda trip: trip.update(leg={"gate": "A"})) == [
        'field.leg.gate: "A" is not of type "integer"'
    ]
    assert changed(schema, value, lambda trip: trip["legs"].append({"gate": "A"})) == [
        'field.legs[0].gate: "A" is not of type "integer"'
    ]


PARTS = some.recursive(
    some.sampled_from([True, INTEGER, NULLABLE, {"enum": [1, 2]}, {"type": "array", "items": INTEGER, "maxItems": 2}]),
    lambda inner: (
        some.builds(
            lambda a, rest: {"type": "object", "properties": {"a": a}, "additionalProperties": rest},
            inner,
            inner | some.booleans(),
        )
        | some.builds(lambda items: {"type": "array", "items": items, "uniqueItems": True}, inner)
        | some.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner)
    ),
    max_leaves=4,
)
LEAVES = some.none() | some.integers(0, 3) | some.just("x")
VALUES = some.recursive(
    LEAVES,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(["a", "0"]), inner),
    max_leaves=6,
)


def containers(place: Any) -> list[Any]:
    inner = place.values() if isinstance(place, DictDraft) else place
    return [place, *(each for part in inner if isinstance(part, (DictDraft, ListDraft)) for each in containers(part))]


@given(PARTS, VALUES, VALUES, some.data())
def test_judging_what_changed_agrees_with_judging_the_whole(
    schema: Any, value: Any, other: Any, choice: some.DataObject
) -> None:
    schema = {"allOf": [schema]} if schema is True else schema
    judge = jsonschema_rs.validator_for(schema)
    if not judge.is_valid(value) or not isinstance(value, (dict, list)):
        return
    rules = DataRules(declared(field=schema).data)
    data = Data({"field": value})
    place = choice.draw(some.sampled_from(containers(data.field)))
    place.append(other) if isinstance(place, ListDraft) else place.update(a=other)
    try:
        rules.check(changes(data), View(data))
    except DataInvalid:
        assert not judge.is_valid(data.field.plain())
    else:
        assert judge.is_valid(data.field.plain())


def test_only_what_changed_is_looked_at() -> None:
    rules = DataRules(declared(log={"type": "array", "items": INTEGER}, other=INTEGER).data)
    data = Data({"log": ["was wrong before"], "other": 1})
    data.log.append(2)
    rules.check(changes(data), View(data))


def test_a_model_judges_the_data_as_it_would_be() -> None:
    seen: list[Any] = []
    rules = DataRules(declared(n=INTEGER).data, model=seen.append)
    data = Data(rules.initial({"n": 1}))
    data.n = 2
    rules.check(changes(data), View(data))
    assert seen == [{"n": 1}, {"n": 2}]


def test_a_payload_is_made_total_and_is_a_private_copy() -> None:
    rules = PayloadRules(declared(who=NULLABLE, tags={"type": "array", "default": []}))
    given_: dict[str, Any] = {"who": "ana"}
    completed = rules.complete("said", given_)
    completed["tags"].append("x")
    assert completed == {"who": "ana", "tags": ["x"]}
    assert rules.complete("said", {}) == {"who": None, "tags": []}
    assert rules.complete("bare", {}) == {}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"choice": 0}, "choice: 0 is less than the minimum of 1"),
        ({}, "choice must be given: it has no default and may not be null"),
        ({"choice": 1, "chioce": 1}, "there is no field 'chioce' (did you mean `choice`?); declared: choice"),
        ({"choice": float("nan")}, "choice is nan, and a number must be finite"),
        ([], "it is list, and must be an object"),
    ],
)
def test_a_wrong_payload_is_refused_with_the_place(payload: Any, why: str) -> None:
    rules = PayloadRules(declared(choice={"type": "integer", "minimum": 1}))
    with pytest.raises(PayloadInvalid, match="the payload of event 'said' is wrong: ") as refused:
        rules.complete("said", payload)
    assert why in str(refused.value)


def test_an_unknown_field_is_refused_even_of_an_event_without_fields() -> None:
    with pytest.raises(PayloadInvalid, match="there is no field 'extra'; declared: nothing"):
        PayloadRules(declared()).complete("bare", {"extra": 1})


def test_formats_are_checked() -> None:
    assert Shape({"type": "string", "format": "date"}).problems("2026-02-30", "when") == [
        'when: "2026-02-30" is not a "date"'
    ]


@pytest.mark.parametrize(
    "schema", [{"type": "sting"}, {"pattern": "("}, {"$ref": "https://example.com/x"}, {"minimum": "1"}]
)
def test_a_schema_that_is_none_is_said_to_be_none(schema: dict[str, Any]) -> None:
    assert schema_problem(schema)
    assert schema_problem({"type": "string"}) is None
