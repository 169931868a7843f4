"""``ctx.data``: a recording draft behaves as the plain value would, and its delta leads from the old to the new."""

from __future__ import annotations

import copy
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fsm_agent.data.data import Data, View, changes
from fsm_agent.data.delta import apply
from fsm_agent.data.draft import DictDraft, ListDraft, collect
from fsm_agent.domain.step import EMPTY_DELTA, Delta
from fsm_agent.errors import DataInvalid

KEYS = some.sampled_from(["a", "b", "c", "1", "with/slash", "with~tilde"])
SCALARS = some.none() | some.booleans() | some.integers(-9, 9) | some.text(max_size=3)
VALUES = some.recursive(
    SCALARS, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
#: What an agent keeps: the fields are declared, what is in them is free.
FIELDS = some.fixed_dictionaries({"trip": some.dictionaries(KEYS, VALUES), "log": some.lists(VALUES), "goal": VALUES})


def change(choice: some.DataObject, drafted: Any, model: Any) -> None:
    """The same random operation on a draft and on what it should behave like; what goes in is copied."""
    kind = DictDraft if isinstance(drafted, DictDraft) else ListDraft
    operation = choice.draw(some.sampled_from(OPERATIONS[kind]))
    operation(choice, drafted, model)


def put(choice: some.DataObject, drafted: DictDraft, model: dict[str, Any]) -> None:
    key, value = choice.draw(KEYS), choice.draw(VALUES)
    drafted[key], model[key] = value, copy.deepcopy(value)


def put_default(choice: some.DataObject, drafted: DictDraft, model: dict[str, Any]) -> None:
    key = choice.draw(KEYS)
    for each in (drafted, model):
        inner = each.setdefault(key, [])
        if isinstance(inner, (list, ListDraft)):
            inner.append("late")


def drop(choice: some.DataObject, drafted: DictDraft, model: dict[str, Any]) -> None:
    key = choice.draw(KEYS)
    assert drafted.pop(key, None) == model.pop(key, None)


def clear(choice: some.DataObject, drafted: Any, model: Any) -> None:
    drafted.clear()
    model.clear()


def append(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    value = choice.draw(VALUES)
    drafted.append(value)
    model.append(copy.deepcopy(value))


def extend_by_itself(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    if len(model) < 20:
        drafted.extend(drafted)
        model.extend(copy.deepcopy(model))


def replace(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    if model:
        at, value = choice.draw(some.integers(-len(model), len(model) - 1)), choice.draw(VALUES)
        drafted[at], model[at] = value, copy.deepcopy(value)


def replace_slice(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    start, stop = sorted(choice.draw(some.tuples(some.integers(0, 3), some.integers(0, 3))))
    values = choice.draw(some.lists(VALUES, max_size=2))
    drafted[start:stop], model[start:stop] = values, copy.deepcopy(values)


def insert(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    at, value = choice.draw(some.integers(-3, 3)), choice.draw(VALUES)
    drafted.insert(at, value)
    model.insert(at, copy.deepcopy(value))


def take_out(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    if model:
        at = choice.draw(some.integers(-len(model), len(model) - 1))
        assert drafted.pop(at) == model.pop(at)


def sort(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    drafted.sort(key=str)
    model.sort(key=str)


def turn_around(choice: some.DataObject, drafted: ListDraft, model: list[Any]) -> None:
    drafted.reverse()
    model.reverse()


OPERATIONS: dict[type, list[Any]] = {
    DictDraft: [put, put_default, drop, clear],
    ListDraft: [append, extend_by_itself, replace, replace_slice, insert, take_out, sort, turn_around, clear],
}


def containers(drafted: Any, model: Any) -> list[tuple[Any, Any]]:
    """Every container of the draft beside its twin."""
    found = [(drafted, model)]
    keys = list(model) if isinstance(model, dict) else range(len(model))
    for key in keys:
        if isinstance(model[key], (dict, list)):
            found += containers(drafted[key], model[key])
    return found


@given(FIELDS, some.data())
def test_whatever_is_done_to_a_draft_its_delta_leads_from_the_old_values_to_the_new(
    base: dict[str, Any], choice: some.DataObject
) -> None:
    old, model = copy.deepcopy(base), copy.deepcopy(base)
    draft = DictDraft(base)
    held = containers(draft, model)[1:]
    for _ in range(choice.draw(some.integers(0, 8))):
        change(choice, *choice.draw(some.sampled_from(held)))
        if choice.draw(some.booleans()):
            held += containers(draft, model)[1:]
    delta = collect(draft)

    assert draft == model
    assert draft.plain() == model
    assert list(draft.items()) == [(key, draft[key]) for key in draft]
    assert len(draft) == len(model)
    assert base == old, "committed values never change under a draft"
    apply(old, Delta.from_json(copy.deepcopy(delta.to_json())))
    assert old == model
    assert (delta == EMPTY_DELTA) <= (base == model)


def test_a_draft_that_is_only_read_has_no_delta() -> None:
    draft = DictDraft({"items": [{"a": 1}], "word": "x"})
    assert [item["a"] for item in draft["items"]] == [1]
    assert {**draft}["word"] == "x"
    assert list(reversed(draft["items"])) == draft["items"] + []
    assert collect(draft) is EMPTY_DELTA


def test_what_is_appended_is_all_that_the_delta_says() -> None:
    draft = DictDraft({"log": [1, 2, 3]})
    draft["log"].append(4)
    draft["log"] += [5]
    assert collect(draft) == Delta(append={"log": [4, 5]})


def test_a_change_deep_inside_is_named_by_its_place() -> None:
    draft = DictDraft({"trip": {"legs": [{"to": "NYC"}, {"to": "LAX"}]}})
    draft["trip"]["legs"][1]["to"] = "SFO"
    draft["trip"]["legs"][0] |= {"gate": 7}
    assert collect(draft) == Delta(set={"trip/legs/0": {"to": "NYC", "gate": 7}, "trip/legs/1/to": "SFO"})


def test_an_item_in_hand_stays_in_a_list_that_is_rewritten_around_it() -> None:
    draft = DictDraft({"items": [{"n": 1}, {"n": 2}]})
    second = draft["items"][1]
    draft["items"].insert(0, {"n": 0})
    second["n"] = 20
    draft["items"].sort(key=lambda item: -item["n"])
    second["seen"] = True
    assert draft["items"] == [{"n": 20, "seen": True}, {"n": 1}, {"n": 0}]
    draft["items"][0] |= {"last": 1}
    assert collect(draft).set["items"][0] == {"n": 20, "seen": True, "last": 1}


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, lambda part: part.plain(), lambda part: part.__add__([])])
def test_nothing_that_comes_out_of_a_draft_reaches_the_committed_values(take: Any) -> None:
    base: dict[str, Any] = {"items": [{"a": [1]}]}
    taken = take(DictDraft(base)["items"])
    taken[0]["a"].append(2)
    taken.append("x")
    assert base == {"items": [{"a": [1]}]}


def test_nothing_that_goes_into_a_draft_stays_in_the_hands_of_who_put_it_there() -> None:
    base: dict[str, Any] = {"items": [], "word": None}
    mine = {"a": [1]}
    draft = DictDraft(base)
    draft["items"].append(mine)
    draft["items"].extend([mine])
    draft["word"] = mine
    mine["a"].append(2)
    apply(base, collect(draft))
    mine["a"].append(3)
    assert base == {"items": [{"a": [1]}, {"a": [1]}], "word": {"a": [1]}}


def test_a_draft_that_outlives_its_step_changes_nothing() -> None:
    base: dict[str, Any] = {"items": [{"a": 1}]}
    draft = DictDraft(base)
    draft["items"].append({"a": 2})
    apply(base, collect(draft))
    for item in draft["items"]:
        item["a"] = 9
    draft["items"].clear()
    assert base == {"items": [{"a": 1}, {"a": 2}]}


class Colour(str, Enum):  # noqa: UP042 - `str` of this older kind gives its name
    RED = "red"


def test_subclasses_of_json_types_are_kept_as_what_they_stand_for() -> None:
    draft = DictDraft({"colour": None})
    draft["colour"] = {Colour.RED: (Colour.RED,)}
    value = collect(draft).set["colour"]
    assert value == {"red": ["red"]}
    assert [type(each) for each in (*value, *value["red"])] == [str, str]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "field is nan, and a number must be finite"),
        (2**63, "field is 9223372036854775808, and an integer must fit 64 bits"),
        ({"a": [object]}, "field.a[0] is <class 'object'> of type type, and only JSON can be kept"),
        ({1: 2}, "field has the key 1, and a key must be a string"),
        (b"x", "field is b'x' of type bytes"),
    ],
)
def test_what_is_no_json_is_refused_where_it_is_put(value: Any, why: str) -> None:
    draft = DictDraft({"field": None})
    with pytest.raises(DataInvalid, match="the data is wrong: ") as refused:
        draft["field"] = value
    assert why in str(refused.value)
    assert collect(draft) is EMPTY_DELTA


def test_bottomless_nesting_is_refused() -> None:
    bottomless: list[Any] = []
    bottomless.append(bottomless)
    with pytest.raises(DataInvalid, match="nested deeper than 100 levels"):
        DictDraft({"field": None})["field"] = bottomless


def test_fields_are_attributes_and_items_and_a_misspelt_one_is_named() -> None:
    data = Data({"goal": None, "options": []})
    data.goal = "NYC"
    data["options"] += [1]
    assert (data.goal, data["goal"], "goal" in data, len(data), dict(data)) == (
        "NYC", "NYC", True, 2, {"goal": "NYC", "options": [1]},
    )  # fmt: skip
    with pytest.raises(AttributeError, match=r"no data field 'goa' \(did you mean `goal`\?\); declared: goal, options"):
        _ = data.goa
    with pytest.raises(DataInvalid, match="did you mean `goal`"):
        data.goa = 1
    del data.goal
    assert changes(data) == Delta(set={"goal": None}, append={"options": [1]})


def test_an_expression_sees_the_changes_without_being_able_to_make_some() -> None:
    base: dict[str, Any] = {"options": [1], "trip": {"to": "NYC"}}
    data = Data(base)
    view = View(data)
    assert view["options"] is base["options"], "what is unchanged is shared, not copied"
    data.options.append(2)
    data.trip["to"] = "LAX"
    assert (view["options"], view["trip"], view.size("options")) == ([1, 2], {"to": "LAX"}, 2)
    assert base == {"options": [1], "trip": {"to": "NYC"}}
