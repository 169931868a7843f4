"""Expressions: what compiles, what is refused in which words and where, and what they give."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.compiler import ExpressionInvalid, Guards
from fsm_agent.expressions.text import mentioned, with_lengths

TRIP = {
    "type": "object",
    "properties": {
        "goal": {"type": "string"},
        "nick": {"type": "string"},
        "start": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    "required": ["goal", "start"],
}
DATA: dict[str, tuple[dict[str, Any], Any]] = {
    "amount": ({"type": "integer"}, 5),
    "price": ({"type": "number"}, 4),
    "ok": ({"type": "boolean"}, True),
    "name": ({"type": "string"}, "Ana"),
    "note": ({"type": ["string", "null"]}, None),
    "count": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None),
    "rate": ({"type": ["number", "null"]}, 3),
    "options": ({"type": "array", "items": {"type": "object"}}, [{"n": 1}, {"n": 2}]),
    "tags": ({"type": ["array", "null"], "items": {"type": "string"}}, None),
    "trip": (TRIP, {"goal": "NYC", "start": {"city": "Rome"}}),
    "anything": ({}, {"a": [1, {"b": None}]}),
    "size": ({"type": "integer"}, 7),
}
WORKFLOW = Workflow(
    "trip",
    1,
    "idle",
    (State("idle"), State("executing", states=(State("executing.paying"),), initial="executing.paying")),
    data={name: schema for name, (schema, _) in DATA.items()},
    events={"pick": {"choice": {"type": "integer"}, "why": {"type": ["string", "null"]}}},
)
VALUES = {name: value for name, (_, value) in DATA.items()}
EVENT = {"choice": 2, "why": None, "name": "pick", "by": "ana"}
VISITS = {"idle": 2}

GUARDS = Guards(WORKFLOW)


def evaluate(text: str, **changed: Any) -> Any:
    return GUARDS.compile(text, event="pick").evaluate({**VALUES, **changed}, EVENT, VISITS)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("data.amount > 3 && event.choice == 2", "bool", True),
        ("data.amount + event.choice", "int", 7),
        ("data.price * 1.5", "double", 6.0),
        ("data.rate * 1.5", "double", 4.5),
        ("data.note == null", "bool", True),
        ("data.note != null && data.note == 'x'", "bool", False),
        ("data.count != null && data.count > 3", "bool", False),
        ("data.trip.start.city", "string", "Rome"),
        ("has(data.trip.nick)", "bool", False),
        ("data.anything", "dyn", {"a": [1, {"b": None}]}),
        ("data.options[1]", "map", {"n": 2}),
        ("data.options.map(o, o.n)", "list", [1, 2]),
        ("size(data.options) + data.options.size()", "int", 4),
        ("data.tags == null", "bool", True),
        ("data.size", "int", 7),
        ("visits['executing.paying'] + visits['idle']", "int", 2),
        ("event.name + '/' + event.by", "string", "pick/ana"),
        ("event.why", "string", None),
        ("['a', 'b'].join(', ')", "string", "a, b"),
        ("'%s: %d'.format([data.name, data.amount])", "string", "Ana: 5"),
        ("{'a': [1u, null]}", "map", {"a": [1, None]}),
        ("null", "null", None),
        ("'UNKNOWN: a string is no failure'", "string", "UNKNOWN: a string is no failure"),
    ],
)
def test_an_expression_gives_plain_json_of_its_type(text: str, type_: str, value: Any) -> None:
    assert GUARDS.compile(text, event="pick").type == type_
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("data.amuont > 3", 1, 1, "no data field `amuont` (did you mean `data.amount`?)"),
        ("true &&\n  data.nmae == 'x'", 2, 3, "no data field `nmae` (did you mean `data.name`?)"),
        ("data.trip.gaol == ''", 1, 1, "`data.trip` has no property `gaol` (did you mean `goal`?)"),
        ("1 > data.trip.start.ctiy", 1, 5, "`data.trip.start` has no property `ctiy`"),
        ("event.chioce > 1", 1, 1, "event 'pick' has no field `chioce` (did you mean `event.choice`?)"),
        ("amount > 3", 1, 1, "unknown name `amount` (did you mean `data.amount`?)"),
        ("visits['executing.payin'] > 1", 1, 8, "no state `executing.payin` (did you mean `executing.paying`?)"),
        ("data.amount > 3.5", 1, 13, "int and double do not mix: write 3.0 or double(x)"),
        ("data.count == 3.0", 1, 12, "`==` does not take (int?, double); int and double do not mix"),
        ("'a' + data.amount", 1, 5, "`+` does not take (string, int); write string(x)"),
        ("data.ok ? 1 : 'a'", 1, 9, "`? :` takes a bool and two values of one type"),
        ("data.amount = 3", 1, 13, "a comparison is written =="),
        ("data.amount == null", 1, 13, "`==` does not take (int, null); only what is declared with `?` can be null"),
        ("data.ok and true", 1, 9, "write &&"),
        ("data.ok == True", 1, 12, "write true"),
        ("data.note == None", 1, 14, "write null"),
        ("len(data.name) > 1", 1, 4, "write size(...)"),
        ("data", 1, 1, "name a field, as in data.amount"),
        ("has(data.note)", 1, 1, "`data.note` is always there"),
        ("data.amount >", 1, 14, "the expression ends too early"),
        ("", 1, 1, "the expression ends too early"),
        ("'abc", 1, 1, "a string is not closed"),
        ("(data.amount", 1, 13, "`)` is missing"),
        ("data.amount.x", 1, 12, "a value of type int has no fields"),
        ("if data.ok", 1, 1, "`if` is a reserved word"),
        ("(" * 99 + "1" + ")" * 99, 1, 1, "nested too deep"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_way_out(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        GUARDS.compile(text, event="pick")
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "INVALID_ARGUMENT" not in caught.value.message
    assert "container" not in caught.value.message


def test_the_event_is_out_of_scope_where_there_is_none() -> None:
    with pytest.raises(ExpressionInvalid, match="no event is at hand; only data and visits are"):
        GUARDS.compile("event.choice > 1", event=None)


@pytest.mark.parametrize(
    ("text", "changed", "why"),
    [
        ("data.amount / 0 == 1", {}, "divide by zero"),
        ("data.count > 3", {}, "`>` does not take (null, int), where data.count is null"),
        ("data.anything.b.c", {"anything": {}}, 'key not found in map : "b"'),
        ("data.amount > 3", {"amount": "many"}, "data.amount is string, and int is declared"),
        ("data.trip.goal", {"trip": 3}, "the data has not the declared shape"),
        ("data.options.exists(o, o.n == 0)", {"options": [{"n": 1}] * 10_001}, "it loops too often"),
        ("1.0 / 0.0", {}, "it gives inf, which no JSON number can be"),
        ("duration('1s')", {}, "it gives a duration, which JSON cannot hold: write string(...)"),
        ("b'abc'", {}, "it gives bytes, which JSON cannot hold: write string(...)"),
        ("{1: 2}", {}, "keys that are no strings"),
        ("18446744073709551615u", {}, "which no JSON number can be"),
        ("data.name + '!'", {"name": "\ud800"}, "failed"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_the_values_it_saw(text: str, changed: Any, why: str) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        evaluate(text, **changed)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_guard_is_true_or_false_and_nothing_else() -> None:
    guard = GUARDS.compile("data.anything", event=None)
    assert guard.holds({**VALUES, "anything": True}, None, {}) is True
    with pytest.raises(ExpressionFailed, match="it gives 'yes', and a guard must give true or false"):
        guard.holds({**VALUES, "anything": "yes"}, None, {})
    with pytest.raises(ExpressionFailed) as caught:
        guard.holds({**VALUES, "anything": None}, None, {})
    assert str(caught.value) == (
        "expression `data.anything` failed: it gives null, and a guard must give true or false, "
        "where data.anything is null"
    )


def test_only_what_is_mentioned_is_read() -> None:
    guard = GUARDS.compile("data.amount > event.choice", event="pick")
    assert guard.mentions == {"data.amount", "event.choice"}
    assert guard.holds({"amount": 5}, {"choice": 2}, {})


class Uncopied(list[Any]):
    """A list that may be counted and must not be looked into."""

    def __iter__(self) -> Any:
        raise AssertionError("the list was converted")

    __getitem__ = __iter__  # type: ignore[assignment]


@pytest.mark.parametrize("text", ["size(data.options) == 2", "data.options.size() == 2", "data.options != null"])
def test_counting_a_list_never_converts_it(text: str) -> None:
    if "null" in text:
        text = "data.tags != null"
    guard = GUARDS.compile(text, event=None)
    assert not guard.lists
    assert guard.holds({**VALUES, "options": Uncopied([1, 2]), "tags": Uncopied([1])}, None, {})


def test_a_list_that_is_converted_whole_is_told() -> None:
    assert GUARDS.compile("size(data.options) > 0 && data.options[0].n == 1", event=None).lists == {"data.options"}


@given(st.sampled_from(["size(data.options)", "data.options.size()", "data.name"]), st.sampled_from("'\""))
def test_what_stands_in_a_string_is_no_mention(mention: str, quote: str) -> None:
    quoted = f"{quote}{mention}{quote}"
    text = f"{quoted} == {quoted} // {mention}"
    expression = GUARDS.compile(text, event=None)
    assert expression.mentions == frozenset()
    assert expression.holds({}, None, {})


@given(st.text(alphabet="datevnsiz .'\"()[]{}\\/\n=ul", max_size=40))
def test_any_text_compiles_or_is_invalid_inside_itself(text: str) -> None:
    invalid = complaint(text)
    lines = text.split("\n")
    assert invalid is None or invalid.message
    assert invalid is None or 1 <= invalid.line <= len(lines)
    assert invalid is None or 1 <= invalid.column <= len(lines[invalid.line - 1]) + 1


def complaint(text: str) -> ExpressionInvalid | None:
    try:
        GUARDS.compile(text, event="pick")
    except ExpressionInvalid as invalid:
        return invalid
    return None


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Which flight to {{ data.trip.goal }}? (1 to {{ size(data.options) }})", "Which flight to NYC? (1 to 2)"),
        ("{{data.price}} {{ data.ok }} {{ data.note }} {{ [1, 2] }} {{ [] }}", "4 yes none 1, 2 none"),
        ("{{ {'a': {'b': data.amount}}.a.b }} don't", "5 don't"),
        ("{{ '}}' }} and {{ '{{' }}", "}} and {{"),
        ("no expression } }", "no expression } }"),
        ("{{ {'n': 1} }}", "n: 1"),
        ("{{ 2.5 }} {{ 1e20 }}", "2.5 1e+20"),
        ("", ""),
    ],
)
def test_a_prompt_reads_as_a_person_writes(text: str, rendered: str) -> None:
    assert GUARDS.prompt(text).render(VALUES, VISITS) == rendered


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("To {{ data.nmae }}", 1, 7, "no data field `nmae`"),
        ("To\n  {{ 1 +\n data.nmae }}", 3, 2, "no data field `nmae`"),
        ("To\n  {{ data.name", 2, 3, "`{{` is not closed by `}}`"),
        ("{{ event.choice }}", 1, 4, "no event is at hand"),
        ("{ data.name }}", 1, 13, "`}}` has no `{{` before it"),
        ("{{ }}", 1, 4, "the expression ends too early"),
    ],
)
def test_a_mistake_in_a_prompt_is_placed_in_the_whole_text(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        GUARDS.prompt(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


def test_an_expression_is_compiled_once() -> None:
    assert GUARDS.compile("data.ok", event="pick") is GUARDS.compile("data.ok", event="pick")
    assert GUARDS.prompt("{{ data.ok }}") is GUARDS.prompt("{{ data.ok }}")


def test_a_recursive_schema_ends() -> None:
    tree: dict[str, Any] = {"type": "array", "items": {"$ref": "#"}}
    node = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}},
    }
    endless = {"anyOf": [{"$ref": "#/anyOf/0"}]}
    workflow = Workflow("w", 1, "a", (State("a"),), data={"tree": tree, "node": node, "endless": endless})
    assert Guards(workflow).compile("size(data.tree) == 0", event=None).holds({"tree": []}, None, {})
    assert Guards(workflow).compile("data.node.next.next", event=None).type == "map"


def test_importing_guards_loads_no_cel() -> None:
    loaded = "any(name.startswith('cel_expr') for name in sys.modules)"
    code = f"import sys, fsm_agent.expressions.compiler; assert not {loaded}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_field_called_size_is_not_a_length() -> None:
    assert GUARDS.compile("data.size == 7", event=None).mentions == {"data.size"}
    assert mentioned("data . size", {"data.size"}) == ["data.size"]


def test_a_length_is_taken_only_of_lists() -> None:
    scope = GUARDS._compiler(None)._scope
    assert with_lengths("size(data.name) + size(data.options)", scope) == "size(data.name) + data.options.size"


RECALLING = Guards(
    Workflow(
        "w",
        1,
        "a",
        (State("a"),),
        data={"items": {"type": "array", "items": {"type": "object"}}},
        user={
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
            "home": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "age": {"type": "number"},
        },
    )
)
RECALLED = {
    "user": {"name": "Ana", "tags": ["a", "b"], "home": {"city": "Rome"}, "age": 40},
    "conversation": {"count": 3, "last": "bye", "text": "user: hi"},
}


def test_a_prompt_that_recalls_says_what_it_needs_and_is_given_that() -> None:
    text = "{{ user.name }} of {{ user.home.city }}, {{ size(user.tags) }}/"
    text += "{{ conversation.count }}: {{ conversation.text }}"
    prompt = RECALLING.prompt(text, recalls=True)
    needed = {name for expression in prompt.expressions for name in expression.mentions}
    assert needed == {"user.name", "user.home", "user.tags", "conversation.count", "conversation.text"}
    assert prompt.render({"items": []}, {}, recalled=RECALLED) == "Ana of Rome, 2/3: user: hi"


def test_where_nobody_is_remembered_there_is_null() -> None:
    assert RECALLING.prompt("{{ user.name }}", recalls=True).render({}, {}) == "none"
    check = RECALLING.compile("user.age == null || user.age > 40.5", event=None, recalls=True)
    assert check.evaluate({}, None, {}) is True
    assert check.evaluate({}, None, {}, recalled=RECALLED) is False


def test_items_are_known_where_children_are_started() -> None:
    child = RECALLING.compile("item.size + index", event=None, recalls=True)
    assert child.mentions == {"item", "index"}
    assert child.evaluate({}, None, {}, recalled={"item": {"size": 4}, "index": 2}) == 6
    whole = RECALLING.compile("item", event=None, recalls=True)
    assert whole.evaluate({}, None, {}, recalled={"item": {"b": 1, "a": [2]}}) == {"b": 1, "a": [2]}


def test_a_variable_of_a_macro_may_be_called_like_what_is_recalled() -> None:
    for name in ("item", "index", "user"):
        text = f"data.items.map({name}, {name}.n)"
        assert RECALLING.compile(text, event=None, recalls=True).evaluate({"items": [{"n": 1}]}, None, {}) == [1]
        assert RECALLING.compile(text, event=None).evaluate({"items": [{"n": 1}]}, None, {}) == [1]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("user.nme", {"recalls": True}, "no user field `nme` (did you mean `user.name`?)"),
        ("user.home.cty", {"recalls": True}, "`user.home` has no property `cty` (did you mean `city`?); it has city"),
        ("user", {"recalls": True}, "`user` is no expression: name a field, as in user.name"),
        (
            "conversation.words",
            {"recalls": True},
            "the conversation has no `words`",
        ),
        ("conversation.count + 'x'", {"recalls": True}, "`+` does not take (int, string)"),
        ("event.x", {"recalls": True}, "no event is at hand; only data, visits, user and conversation are"),
        (
            "item.x",
            {"recalls": True, "items": False},
            "`item` is known under `payload` and `data` of `workflow.run` alone",
        ),
        ("index", {}, "`index` is known under `payload` and `data` of `workflow.run` alone"),
        ("user.name", {}, "only what stands under `with` of a built-in action can mention it"),
        ("conversation.last", {}, "only what stands under `with` of a built-in action can mention it"),
    ],
)
def test_what_cannot_be_recalled_is_told(text: str, options: dict[str, bool], message: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        RECALLING.compile(text, event=None, **options)
    assert message in caught.value.message


def test_what_was_compiled_for_a_built_in_action_is_not_lent_to_a_guard() -> None:
    guards = Guards(Workflow("w", 1, "a", (State("a"),), user={"name": {"type": "string"}}))
    guards.compile("user.name", event=None, recalls=True)
    guards.prompt("{{ user.name }}", recalls=True)
    with pytest.raises(ExpressionInvalid):
        guards.compile("user.name", event=None)
    with pytest.raises(ExpressionInvalid):
        guards.prompt("{{ user.name }}")


def test_a_number_that_was_kept_as_an_integer_is_never_read_as_another_one() -> None:
    assert evaluate("data.price == 9007199254740992.0", price=2**53) is True
    with pytest.raises(ExpressionFailed, match="9007199254740993 is declared as a number, and a number cannot be"):
        evaluate("data.price == 9007199254740992.0", price=2**53 + 1)
    with pytest.raises(ExpressionFailed, match="9007199254740993 is declared as a number, and a number cannot be"):
        evaluate("data.rate == 9007199254740992.0", rate=2**53 + 1)
