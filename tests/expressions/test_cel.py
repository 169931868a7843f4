"""Results of the CEL library become plain JSON, and cost the process nothing, however many there are."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fsm_agent
from fsm_agent.domain.decision import EvaluationContext, Taken
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.program import Program
from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.compiler import Expression, Guards
from fsm_agent.loading.yaml_file import loads

GUARDS = Guards(
    Workflow(
        "w",
        1,
        "a",
        (State("a"),),
        data={
            "count": {"type": "integer"},
            "until": {"type": "integer"},
            "perhaps": {"type": ["integer", "null"]},
            "name": {"type": "string"},
            "any": {},
        },
    )
)
VALUES = {"count": 3, "until": 5, "perhaps": None, "name": "Ana", "any": [None, {"a": None, "b": [None]}]}

#: how often -> what gives a result of each kind: on the way that refuses null, on the other, or none that is JSON
MANY = {
    305_000: ["data.count + 1 < 5", "data.perhaps == null", "data.count + 1"],
    5_000: [
        "null",
        "data.any[0]",
        "data.perhaps == null ? data.perhaps : data.count",
        "[null, data.perhaps, [null]]",
        "data.any[1]",
        "{'a': data.perhaps, 'b': {'c': null}}",
        "true ? data.any : data.any",
        "1.5",
        "data.name + '!'",
        "[1, true, 'a', 2.5]",
        "{'a': 1, 'b': false}",
        "1u",
        "data.count == 3 && data.name != 'Ben'",
    ],
    3_000: [
        "1 / 0 == 1",
        "data.perhaps > 3",
        "type(null)",
        "timestamp('2026-11-30T00:00:00Z')",
        "duration('1s')",
        "b'abc'",
        "18446744073709551615u",
        "{1: null, 1u: null, true: null}",
    ],
}


def evaluate(text: str, **changed: Any) -> Any:
    return GUARDS.compile(text, event=None).evaluate({**VALUES, **changed}, None, {})


def evaluate_often(expression: Expression, times: int, **changed: Any) -> None:
    values = {**VALUES, **changed}
    for _ in range(times):
        try:
            expression.evaluate(values, None, {})
        except ExpressionFailed:
            continue


def count_many() -> None:
    """Print how many results there were, and by how much more or less often ``None`` is referred to since."""
    expressions = [(GUARDS.compile(text, event=None), times) for times, texts in MANY.items() for text in texts]
    prompt = GUARDS.prompt("{{ data.any[1] }} {{ data.perhaps }} {{ null }}")
    for expression, _ in expressions:
        evaluate_often(expression, 1)
    before = sys.getrefcount(None)
    for expression, times in expressions:
        evaluate_often(expression, times)
    for _ in range(2_000):
        prompt.render(VALUES, {})
    print(sum(times for _, times in expressions) + 6_000, sys.getrefcount(None) - before)  # noqa: T201


@pytest.mark.long
def test_a_million_results_of_every_kind_leave_none_as_it_was() -> None:
    """In a process of its own: where references are given away, the process aborts."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_cel; test_cel.count_many()"
    counted = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert counted.returncode == 0, counted.stderr
    results, drift = map(int, counted.stdout.split())
    assert results >= 1_000_000
    assert abs(drift) < 1_000


ROADS = loads("""
workflow: roads
version: 1
data:
  perhaps: integer?
  list: {type: array, default: []}
  any: {default: null}
events: {go: {note: string?}}
progress: {goal: "[data.any, 'x', null][0]", done: "[data.perhaps].filter(x, x == null)"}
initial: asking
states:
  asking:
    ask:
      prompt: "{{ [data.perhaps] }} and {{ data.perhaps == null ? null : data.perhaps }}"
      events: [go]
      to: "[data.perhaps].map(x, x == null ? 'ana' : 'ben')"
    on:
      go:
        target: working
        when: "[event.note, data.perhaps] == [null, null]"
        assign: {any: "{'a': event.note, 'b': [data.perhaps]}", perhaps: "event.note == null ? data.perhaps : 1"}
        append: {list: "[event.note]"}
  working:
    do: work
    with: {plan: "[data.perhaps, null]"}
    on: {go: done}
  done: {final: true, output: {all: "[data.perhaps, data.any]"}}
""")


def travel_all_roads(program: Program) -> None:
    """Every way on which the result of an expression comes into an agent: guard, assign, append, question and whom
    it asks, progress, ``with``, ``output``."""
    event, data = Event("go", {"note": None}), {"perhaps": None, "list": [], "any": None}
    decision = program.decide("asking", event, EvaluationContext(data, event, {}))
    assert isinstance(decision, Taken)
    written = program.changes(decision.move, event, data, {})
    assert written == ({"any": {"a": None, "b": [None]}, "perhaps": None}, {"list": [None]})
    context = EvaluationContext(data, None, {})
    assert program.asked(program.state("asking"), context, 1)[:2] == ("none and none", ("ana",))
    assert program.progress(data, {}) == (None, 1, None, None)
    assert program.arguments(program.state("working"), context) == {"plan": [None, None]}
    assert program.entry_values(program.state("done").output, context) == {"all": [None, None]}


def test_nulls_leave_none_as_it_was_on_every_road_into_an_agent() -> None:
    program = Program(ROADS)
    travel_all_roads(program)
    before = sys.getrefcount(None)
    for _ in range(1_000):
        travel_all_roads(program)
    assert abs(sys.getrefcount(None) - before) < 500


def test_there_is_one_door_to_the_library() -> None:
    """So no road has been forgotten: whoever evaluates does it through ``Expression``."""
    sources = {path: path.read_text() for path in Path(fsm_agent.__file__).parent.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "expressions.cel import" in text] == ["compiler.py"]


@pytest.mark.parametrize("kept", [True, False, 0, 1, 255, "", "a"])
def test_no_other_value_that_the_interpreter_shares_is_given_away(kept: Any) -> None:
    expressions = [GUARDS.compile(text, event=None) for text in ("[data.any]", "[data.any][0]", "{'a': data.any}")]
    for expression in expressions:
        evaluate_often(expression, 10, any=kept)
    before = sys.getrefcount(kept)
    for expression in expressions:
        evaluate_often(expression, 2_000, any=kept)
    assert abs(sys.getrefcount(kept) - before) < 500


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(_JSON)
def test_json_comes_out_of_cel_as_it_went_in(value: Any) -> None:
    whole = evaluate("{'a': [data.any]}", any=value)
    assert json.dumps(whole, sort_keys=True) == json.dumps({"a": [value]}, sort_keys=True)
    alone = evaluate("[data.any][0]", any=value)
    assert json.dumps(alone, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    "text",
    [
        "data.perhaps == null ? data.perhaps : data.count",
        "[data.count, data.perhaps][1]",
        "{'a': data.perhaps}.a",
    ],
)
def test_null_comes_out_where_the_checker_expects_an_integer(text: str) -> None:
    assert GUARDS.compile(text, event=None).type == "int"
    assert evaluate(text) is None


def test_an_expression_may_end_in_a_comment_or_in_empty_lines() -> None:
    assert evaluate("data.count + 1 // one more") == 4
    assert evaluate("\n data.count + 1 == 4 // one more\n\n") is True


def test_an_expression_that_is_as_long_or_as_deep_as_may_be_is_evaluated() -> None:
    long = "data.count + 1" + " " * (100_000 - 14)
    deep = max((wrapped for wrapped in map(in_parentheses, range(60)) if compiles(wrapped)), key=len)
    assert compiles(long)
    assert not compiles(long + " ")
    assert evaluate(long) == evaluate(deep) == 4


def in_parentheses(depth: int) -> str:
    return "(" * depth + "data.count + 1" + ")" * depth


def compiles(text: str) -> bool:
    try:
        GUARDS.compile(text, event=None)
    except ValueError:
        return False
    return True


def test_threads_that_evaluate_at_once_do_not_disturb_each_other() -> None:
    texts = ["[data.count + 1].exists(n, n == data.until)", "data.count * 2 + data.until", "data.count + 1 == 4"]
    expressions = [GUARDS.compile(text, event=None) for text in texts]

    def work(number: int) -> None:
        values = {**VALUES, "count": number, "until": number + 1}
        expected = [True, 3 * number + 1, number == 3]
        for _ in range(500):
            assert [expression.evaluate(values, None, {}) for expression in expressions] == expected

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))


@pytest.mark.parametrize(
    ("text", "times", "changed"),
    [
        ("[data.count, data.until].map(n, [n, n]).exists(n, n[0] == 4)", 40_000, {}),
        ("data.name + 'x' == 'y'", 60, {"name": "y" * 1_000_000}),
        ("data.any == 'y'", 60, {"any": "y" * 1_000_000}),
    ],
)
def test_what_evaluations_need_is_given_back(text: str, times: int, changed: dict[str, Any]) -> None:
    expression = GUARDS.compile(text, event=None)
    evaluate_often(expression, 10, **changed)
    before = resident_bytes()
    evaluate_often(expression, times, **changed)
    assert resident_bytes() - before < 20_000_000


def resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("value", ["a\0b", ["a\0b"], [[1, {"k": ["\0"]}]], {"a\0": 1}, {"k": {"l": "\0"}}])
def test_a_text_that_cel_would_cut_is_refused_wherever_it_stands(value: Any) -> None:
    with pytest.raises(
        ExpressionFailed, match=r"data.any holds the character U\+0000, at which CEL would cut the text"
    ):
        evaluate("data.any == data.any", any=value)
    assert evaluate("data.any", any=value) == value


def test_a_guard_does_not_hold_for_a_text_that_only_begins_as_it_says() -> None:
    with pytest.raises(ExpressionFailed, match=r"data\.name holds the character"):
        evaluate("data.name == 'Ana'", name="Ana\0x")
    with pytest.raises(ExpressionFailed, match=r"data\.name holds the character"):
        evaluate("data.name != 'Ana'", name="Ana\0x")


def test_an_expression_that_needs_more_stack_than_there_is_says_so_in_a_sentence() -> None:
    deep: Any = 1
    for _ in range(90):
        deep = [deep]

    def dig(levels: int) -> Any:
        return dig(levels - 1) if levels else evaluate("[data.any]", any=deep)

    levels = sys.getrecursionlimit() - len(inspect.stack(0)) - 150
    with pytest.raises(ExpressionFailed, match=r"its values are nested too deep to be read, where data.any is"):
        dig(levels)
