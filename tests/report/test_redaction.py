"""What a reader of a history may not see."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.report.redaction import DATA, EVENT, HIDDEN, Redaction

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
