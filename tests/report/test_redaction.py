"""What a reader of a history may not see."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.data.delta import escape
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.report.hidden_texts import HIDDEN
from fsm_agent.report.redaction import DATA, EVENT, Redaction

PERSON = {"name": "Ana", "mail": {"home": "a@x.org", "work": "b@x.org"}}


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("home", {"name": "Ana", "mail": {"home": HIDDEN, "work": "b@x.org"}}),
        ("mail.work", {"name": "Ana", "mail": {"home": "a@x.org", "work": HIDDEN}}),
        ("data.mail", {"name": "Ana", "mail": HIDDEN}),
        ("event.mail", PERSON),
        ("other.work", PERSON),
    ],
)
def test_a_field_is_named_by_the_end_of_its_path(field: str, shown: dict[str, Any]) -> None:
    assert Redaction([field]).value(PERSON, DATA) == shown


def test_items_of_a_list_have_the_path_of_the_list() -> None:
    redaction = Redaction(["rows.iban"])
    assert redaction.value({"rows": [{"iban": "DE1", "n": 1}]}, EVENT) == {"rows": [{"iban": HIDDEN, "n": 1}]}
    delta = Delta({"rows/0/iban": "DE2"}, ("rows/1",), {"rows": [{"iban": "DE3"}]})
    step = Step(2, StepKind.EVENT, "e", {}, "a", "a", 0, delta, by="ana")
    redaction.meet(step)
    assert redaction.step(step).delta == Delta({"rows/0/iban": HIDDEN}, ("rows/1",), {"rows": [{"iban": HIDDEN}]})
    assert redaction.quoted("DE1, DE2, DE3 and DE34") == "(redacted), (redacted), (redacted) and DE34"


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        (175.0, "pays 175 EUR, or 175.0, not 1750", "pays (redacted) EUR, or (redacted), not 1750"),
        ("a.b", "a.b, and axb", "(redacted), and axb"),
        ({"deep": ["Ana Lee"]}, "Ana Lee or Ana", "(redacted) or Ana"),
        (True, "True is true", "True is true"),
        (None, "None", "None"),
        ("", "nothing", "nothing"),
    ],
)
def test_what_a_hidden_field_held_is_hidden_in_texts(value: object, text: str, shown: str) -> None:
    redaction = Redaction(["secret"])
    redaction.value({"secret": value}, DATA)
    assert redaction.quoted({"said": [text]}) == {"said": [shown]}


def test_the_longest_value_is_hidden_first() -> None:
    redaction = Redaction(["data.names"])
    redaction.value({"names": ["Ana", "Ana Lee"]}, DATA)
    assert redaction.quoted("Ana Lee") == HIDDEN


def test_a_field_that_nothing_had_is_known() -> None:
    redaction = Redaction(["mail.home", "emial", "data"])
    redaction.value(PERSON, DATA)
    assert redaction.unknown == ["data", "emial"]
    assert redaction.known == ["data.mail", "data.mail.home", "data.mail.work", "data.name"]


def step_of(delta: Delta, **facts: Any) -> Step:
    return Step(2, StepKind.EVENT, "e", facts, "a", "a", 0, delta)


def test_a_change_inside_a_hidden_field_is_a_change_of_that_field() -> None:
    redaction = Redaction(["contacts", "list"])
    delta = Delta(
        {"contacts/ana@x.org/phone": "555-0101", "name": "Ana"}, ("contacts/ben@x.org", "name2"), {"list": ["Ben"]}
    )
    assert redaction.step(step_of(delta)).delta == Delta(
        {"contacts": HIDDEN, "name": "Ana", "list": HIDDEN}, ("name2",), {}
    )


def test_a_field_whose_whole_is_hidden_too_is_known() -> None:
    redaction = Redaction(["mail", "home", "work"])
    redaction.value(PERSON, DATA)
    assert redaction.unknown == []


def test_a_number_is_hidden_where_it_was_copied_to_and_a_key_that_quotes_stays_a_key_of_its_own() -> None:
    redaction = Redaction(["amount", "mail"])
    redaction.meet(step_of(Delta({"amount": 175, "mail": ["a@x.org", "b@x.org"]})))
    delta = Delta({"total": 175.0, "by_mail": {"b@x.org": 1}, "by_mail/a@x.org": 2, "rows/0": True})
    shown = redaction.step(step_of(delta)).delta.set
    assert shown == {"total": HIDDEN, "by_mail": {HIDDEN: 1}, f"by_mail/{HIDDEN} 2": 2, "rows/0": True}


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("DE89", "ref_DE89x, de89", "ref_(redacted)x, (redacted)"),
        ("Bo", "Bo, Bob, _Bo_, bo", "(redacted), Bob, _(redacted)_, bo"),
        (17, "17k, 175, EUR17", "(redacted)k, 175, EUR(redacted)"),
        ("!x!", "a!x!b", "a(redacted)b"),
        ('Al "Bo"\nLu\u00e9', json.dumps(['Al "Bo"\nLu\u00e9']), '["(redacted)"]'),
    ],
)
def test_what_joins_a_hidden_text_does_not_save_it(value: object, text: str, shown: str) -> None:
    redaction = Redaction(["secret"])
    redaction.value({"secret": value}, DATA)
    assert redaction.quoted(text) == shown


HELD = 'Q7-Zoë "X"'
names = st.sampled_from(["person", "mail", "rows", "0", "1", "a/b", "~", HELD])
values = st.recursive(
    st.sampled_from([HELD, f"to {HELD}.", f"x{HELD}y", 1, None, True]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)
pointers = st.lists(names, min_size=1, max_size=3).map(lambda way: "/".join(["note", *map(escape, way)]))


@given(set_=st.dictionaries(pointers, values, max_size=3), append=st.dictionaries(pointers, st.lists(values)))
def test_what_a_hidden_field_held_stands_nowhere(set_: dict[str, Any], append: dict[str, list[Any]]) -> None:
    redaction = Redaction(["person"])
    redaction.meet(step_of(Delta({"person/mail": HELD})))
    step = redaction.step(step_of(Delta(set_, tuple(set_), append), said=set_)._replace(by=HELD, reason=HELD))
    shown = json.dumps(step.to_json(), ensure_ascii=False)
    assert "Q7" not in shown
    assert "Zo" not in shown


def test_thousands_of_hidden_texts_are_found_as_fast_as_one() -> None:
    redaction = Redaction(["iban"])
    ibans = [f"DE{number * 7919:012d}" for number in range(20_000)]
    redaction.value({"iban": ibans}, DATA)
    began = time.process_time()
    assert redaction.quoted([f"from {iban}" for iban in ibans[:5_000]]) == [f"from {HIDDEN}"] * 5_000
    assert time.process_time() - began < 5, "looking for one after the other takes minutes"
