"""A literal is read without CEL, and nobody can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.expressions.cel import Environment, Program
from fsm_agent.expressions.compiler import ExpressionInvalid, Guards
from fsm_agent.expressions.literal import read_literal
from tests.support.hypothesis_settings import example_settings

GUARDS = Guards(Workflow("w", 1, "a", (State("a"),)))
CEL = Environment({}, evaluates=False)

_INSIDES = st.text() | st.text(st.sampled_from("ab \"'\\\x00\n\r\t\x7f\x85\u2028\ud800\U0001f600n"), max_size=5)
_STRINGS = st.tuples(st.sampled_from(["'", '"', "'''", '"""', "r'", "b'"]), _INSIDES).map(
    lambda parts: f"{parts[0]}{parts[1]}{parts[0].lstrip('rb')}"
)
_EDGES = [INT64_MIN - 1, INT64_MIN, -1, 0, 1, INT64_MAX, INT64_MAX + 1]
_NUMBERS = (st.sampled_from(_EDGES) | st.integers()).map(str) | st.from_regex(r"-?0?[0-9_]{1,25}u?", fullmatch=True)
_WORDS = st.sampled_from(
    ["true", "false", "null", "True", "none", "--1", "- 1", "+1", "1.0", "²", "٣", "0x1f", "", "'"]
)
_SPACES = st.sampled_from(["", " ", "\t", "\r\n", "\f", "\v", "\xa0", "\u2028", "\x1c"])
LITERALS = st.tuples(_SPACES, _STRINGS | _NUMBERS | _WORDS, _SPACES).map("".join)


def by_cel(text: str) -> tuple[Json, str]:
    """The value that CEL gives, and what it says of its kind."""
    kind = CEL.check(text)
    return Program(CEL, text, kind=kind, reads=()).run({}), kind.name


@example_settings(1000)
@given(LITERALS)
def test_a_literal_gives_what_cel_gives(text: str) -> None:
    literal = read_literal(text)
    if literal is not None:
        value, kind = by_cel(text)
        assert literal.value == value
        assert type(literal.value) is type(value)
        assert literal.kind.name == kind


@pytest.mark.parametrize("text", ["'poked'", '"a b"', "''", " 'ä 😀' ", "17", "-1", "007", "true", "false", "null"])
def test_plain_literals_are_read_without_cel(text: str) -> None:
    literal = read_literal(text)
    assert literal is not None
    assert (literal.value, literal.kind.name) == by_cel(text)
    expression = GUARDS.compile(text, event=None)
    assert (expression.evaluate({}, None, {}), expression.type) == (literal.value, literal.kind.name)
    assert expression.mentions == expression.lists == frozenset()


@pytest.mark.parametrize(
    "text",
    ["'a\\n'", "'a\x00b'", "'a\nb'", "'it''s'", "'\"'", "r'a'", "1u", "1.5", "9223372036854775808", "[1]", "1 + 1"],
)
def test_all_else_is_left_to_cel(text: str) -> None:
    assert read_literal(text) is None


@pytest.mark.parametrize("text", ["9223372036854775808", "'", "'a", "tru", "1 2", "\xa01", "1\v"])
def test_what_is_no_literal_is_refused_as_ever(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        GUARDS.compile(text, event=None)


def test_a_guard_that_is_a_literal_holds_or_not() -> None:
    assert GUARDS.compile("true", event="go").holds({}, None, {})
    assert not GUARDS.compile(" false", event="go").holds({}, None, {})
