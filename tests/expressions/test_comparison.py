"""Two integers are compared without CEL, and nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.compiler import ExpressionInvalid, Guards
from tests.support.hypothesis_settings import example_settings

INTEGER = {"type": "integer"}
GUARDS = Guards(
    Workflow(
        "w",
        1,
        "a",
        (State("a"),),
        data={
            "count": INTEGER,
            "until": INTEGER,
            "trip": {"type": "object", "properties": {"days": INTEGER}, "required": ["days"]},
            "items": {"type": "array", "items": INTEGER},
            "perhaps": {"type": ["integer", "null"]},
            "tags": {"type": ["array", "null"], "items": {"type": "string"}},
            "rate": {"type": "number"},
            "ok": {"type": "boolean"},
            "package": INTEGER,
            "while": INTEGER,
        },
        events={"pick": {"choice": INTEGER}},
    )
)
OPERATORS = ("<", "<=", ">", ">=", "==", "!=")

_EDGES = [-(2**64), -(2**63) - 1, -(2**63), -(2**53) - 1, -1, 0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64]
_VALUES = (
    st.sampled_from(_EDGES)
    | st.integers(-3, 3)
    | st.integers(-(2**65), 2**65)
    | st.sampled_from([True, False, None, "1", 1.0, -0.0, 1.5, 1e300, float("nan"), float("inf"), [1], {}])
)
_INT64 = st.sampled_from(_EDGES).filter(lambda each: -(2**63) <= each < 2**63) | st.integers(-3, 3)
_NAMES = st.sampled_from(["data.count", "data.until", "data.trip.days", "size(data.items)", "event.choice"])
_LITERALS = _INT64.map(str) | st.sampled_from(["007", "-00", "-0"])
_SPACES = st.sampled_from(["", " ", "\n\t "])


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    sides = draw(st.tuples(_NAMES, _NAMES | _LITERALS))
    left, right = draw(st.permutations(sides))
    before, between, after, behind = (draw(_SPACES) for _ in range(4))
    return f"{before}{left}{between}{draw(st.sampled_from(OPERATORS))}{after}{right}{behind}"


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and a payload: of the declared shape, or with what an action may have left instead."""
    data: dict[str, Any] = {name: draw(_VALUES) for name in ("count", "until")}
    data["trip"] = draw(st.fixed_dictionaries({"days": _VALUES}) | st.sampled_from([None, {}, 3]))
    data["items"] = draw(st.lists(st.just(1), max_size=3) | st.sampled_from([None, 3, "ab"]))
    lacking = draw(st.sampled_from([None, None, None, "count", "trip", "items"]))
    return {name: value for name, value in data.items() if name != lacking}, {"choice": draw(_VALUES)}


@example_settings(500)
@given(comparisons(), scenes())
def test_a_comparison_gives_what_cel_gives(text: str, context: tuple[dict[str, Any], dict[str, Any]]) -> None:
    compared, by_cel = outcome(text, *context), outcome(f"({text})", *context)
    assert compared == by_cel
    assert type(compared) is type(by_cel)


def outcome(text: str, data: dict[str, Any], event: dict[str, Any]) -> bool | str:
    """What it gives, or why it fails; to hold is the same."""
    expression = GUARDS.compile(text, event="pick")
    try:
        value = expression.evaluate(data, event, {})
    except ExpressionFailed as failed:
        with pytest.raises(ExpressionFailed):
            expression.holds(data, event, {})
        return str(failed).replace(expression.text.strip(), "it")
    assert expression.holds(data, event, {}) is value
    assert isinstance(value, bool)
    return value


@given(comparisons())
def test_every_comparison_of_integers_is_known_as_one(text: str) -> None:
    assert GUARDS.compile(text, event="pick")._comparison is not None
    assert GUARDS.compile(f"({text})", event="pick")._comparison is None


_ODD_NAMES = st.sampled_from(
    ["data.package", "data.while", "data.items.size", "data.coutn", "data.trip.hours", "data . count", "event.name"]
) | st.sampled_from(["count", "visits", "data.perhaps", "data.rate", "data.items", "data.\u0663", "-data.count"])
_ODD_LITERALS = st.sampled_from(
    ["9223372036854775808", "--1", "- 1", "", "1u", "1.0", "data.count\v", "\xa01", "1 < 2", "data.count // it", "'a'"]
)
_ODD_OPERANDS = _ODD_NAMES | _ODD_LITERALS


@example_settings(500)
@given(_NAMES | _LITERALS | _ODD_OPERANDS, st.sampled_from([*OPERATORS, "=", "=<", "<>", "<<"]), _ODD_OPERANDS | _NAMES)
def test_what_cel_refuses_is_refused_though_it_looks_like_a_comparison(left: str, sign: str, right: str) -> None:
    text = f"{left} {sign} {right}"
    assert verdict(text) == verdict(f"(\n{text}\n)")


def verdict(text: str) -> tuple[str, frozenset[str]] | str:
    """What is known of an expression before it runs, or that it is refused."""
    try:
        expression = GUARDS.compile(text, event="pick")
    except ExpressionInvalid:
        return "refused"
    return expression.type, expression.mentions


@pytest.mark.parametrize(
    "text",
    [
        "data.perhaps == 3",
        "data.rate < 3.0",
        "data.ok == true",
        "size(data.tags) == 1",
        "data.count < 3 && data.until > 3",
        "data.count + 1 < 3",
        "data.count < 0x10",
        "data.count == 3 ? true : false",
        "data.count // < 3",
        "data.count",
    ],
)
def test_all_else_is_left_to_cel(text: str) -> None:
    assert GUARDS.compile(text, event="pick")._comparison is None
