"""The syntax tree of an expression: what is read off the CEL library is what the library evaluates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.compiler import Guards
from fsm_agent.expressions.tree import Call, Constant, Loop, Name, Select, names_in, text_of

DATA = {
    "n": {"type": "integer"},
    "x": {"type": ["integer", "null"]},
    "price": {"type": "number"},
    "flag": {"type": "boolean"},
    "word": {"type": "string"},
    "items": {"type": "array", "items": {"type": "integer"}},
    "free": {},
}
GUARDS = Guards(Workflow("w", 1, "a", (State("a", final=True),), data=DATA))

NUMBERS = st.one_of(
    st.sampled_from(["data.n", "data.x", "size(data.items)", 'visits["a"]']), st.integers(-9, 9).map(str)
)
WORDS = st.one_of(
    st.just("data.word"),
    st.text(max_size=5).map(lambda text: text_of(Constant("string", text))).filter(lambda text: "\\u0000" not in text),
)
LEAVES = st.one_of(
    st.sampled_from(["data.flag", "true", "false", "has(data.free.a)", "data.free.a.b == 1", 'data.free["a"] == 2.5']),
    st.tuples(NUMBERS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS).map(" ".join),
    st.tuples(WORDS, st.sampled_from(["==", "!=", "<", ">="]), WORDS).map(" ".join),
    st.tuples(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3)).map(
        lambda each: f"{each[0]} in [{', '.join(each[1])}]"
    ),
    WORDS.map(lambda word: f"data.word.startsWith({word})"),
    st.tuples(NUMBERS, st.sampled_from("+-*/%"), NUMBERS).map(lambda each: f"{' '.join(each)} == 3"),
    st.sampled_from(
        [
            "data.items.all(i, i > data.n)",
            "data.items.exists(i, i == 2)",
            "data.items.exists_one(i, i == 2)",
            "data.items.filter(i, i > 1).size() == 1",
            "data.items.map(i, i + 1) == [2, 3]",
            "data.items.map(i, i > 1, -i) == [-2]",
            '{"a": 1u, "b": 2u}["b"] == 2u',
            'b"\\x00ab" == b"ab"',
            "data.price * 2.0 > 1e300",
            "-data.n > -(-3)",
            "int(data.price) == 2",
            'timestamp("2026-01-01T00:00:00Z").getFullYear() == 2026',
            "data.items == [1, 2]",
            "data.free == {'a': 2}",
        ]
    ),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda each: f"({each[0]}) {each[1]} ({each[2]})"),
        inner.map(lambda each: f"!({each})"),
        st.tuples(inner, inner, inner).map(lambda each: f"({each[0]}) ? ({each[1]}) : ({each[2]})"),
    ),
    max_leaves=6,
)
VALUES = st.fixed_dictionaries(
    {
        "n": st.integers(-5, 5),
        "x": st.none() | st.integers(-5, 5),
        "price": st.sampled_from([0.5, 2.0, 1e300]),
        "flag": st.booleans(),
        "word": st.sampled_from(["", "a", "ä\n", '"\\']),
        "items": st.lists(st.integers(0, 3), max_size=3),
        "free": st.sampled_from([{}, {"a": 2}, {"a": {"b": 1}}, None]),
    }
)


def outcome(text: str, data: dict[str, Json]) -> bool | None:
    try:
        return GUARDS.compile(text, event=None).holds(data, None, {"a": 1})
    except ExpressionFailed:
        return None


@given(CONDITIONS, VALUES)
def test_the_tree_written_out_again_gives_what_the_expression_gives(text: str, data: dict[str, Json]) -> None:
    tree = GUARDS.tree(text, event=None)
    assert tree is not None
    again = text_of(tree)
    assert outcome(again, data) == outcome(text, data)
    assert GUARDS.tree(again, event=None) == tree


def test_nodes_say_what_the_parts_of_an_expression_are() -> None:
    assert GUARDS.tree("data.n > -3", event=None) == Call("_>_", (Name("data.n"), Constant("int", -3)))
    assert GUARDS.tree("has(data.free.a)", event=None) == Select(Name("data.free"), "a", is_test=True)
    assert GUARDS.tree('data.word.endsWith("z")', event=None) == Call(
        "endsWith", (Name("data.word"), Constant("string", "z")), is_method=True
    )
    loop = GUARDS.tree("data.items.all(i, i > data.n)", event=None)
    assert isinstance(loop, Loop)
    assert names_in(loop) == {"data.items", "@result", "i", "data.n"}


def test_literals_that_python_takes_for_equal_are_different() -> None:
    assert len({GUARDS.tree(f"data.free == {literal}", event=None) for literal in ("1", "1u", "1.0", "true")}) == 4


@pytest.mark.parametrize("wrong", ["data.n >", "data.unknown", "data.n + 'a'"])
def test_what_is_wrong_has_no_tree(wrong: str) -> None:
    assert GUARDS.tree(wrong, event=None) is None
