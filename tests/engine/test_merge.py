"""Merge policies: whoever comes first, both sides show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.state import MergePolicy
from fsm_agent.engine.merge import POLICIES, Unmergeable, merged

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 2.5, "", "a", "b"])
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2)
LISTS = st.lists(VALUES, max_size=5)
DATES = st.dates().map(str)
DATETIMES = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
SIZES = st.one_of(*(st.tuples(*[kind | st.none()] * 3) for kind in (st.integers(), DATES, DATETIMES)))
LAWFUL = {
    "last": st.tuples(VALUES, VALUES, VALUES),
    "append": st.tuples(LISTS, LISTS, LISTS).map(lambda each: (each[0], each[0] + each[1], each[0] + each[2])),
    "union": st.tuples(LISTS, LISTS, LISTS),
    "max": SIZES,
}


def each_policy(*names: MergePolicy) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("policy", names)


def bag(items: list[Any]) -> set[str]:
    """The items as JSON tells them apart."""
    return {repr(_told_apart(item)) for item in items}


def _told_apart(value: Any) -> Any:
    match value:
        case bool():
            return f"is {value}"
        case int():
            return float(value)
        case list():
            return [_told_apart(each) for each in value]
        case dict():
            return {key: _told_apart(value[key]) for key in sorted(value)}
        case _:
            return value


def test_every_policy_of_the_dialect_has_its_rule() -> None:
    assert set(POLICIES) == set(get_args(MergePolicy))


@each_policy("last", "append", "union", "max")
@given(data=st.data())
def test_what_one_side_left_alone_is_as_the_other_left_it(policy: MergePolicy, data: st.DataObject) -> None:
    base, theirs, ours = data.draw(LAWFUL[policy])
    assert merged(policy, base, theirs=base, ours=ours) == ours
    assert merged(policy, base, theirs=theirs, ours=base) == theirs
    assert merged(policy, base, theirs=base, ours=base) == base


@given(LAWFUL["union"])
def test_a_union_holds_what_either_added_and_nothing_that_either_removed(sides: tuple[list[Any], ...]) -> None:
    base, theirs, ours = map(bag, sides)
    both = bag(merged("union", sides[0], theirs=sides[1], ours=sides[2]))
    assert both == (theirs | ours) - (base - theirs) - (base - ours)


@given(LAWFUL["union"])
def test_a_union_is_the_same_whoever_comes_first(sides: tuple[list[Any], ...]) -> None:
    base, one, other = sides
    assert bag(merged("union", base, theirs=one, ours=other)) == bag(merged("union", base, theirs=other, ours=one))


@given(LAWFUL["union"])
def test_a_union_keeps_the_order_of_both(sides: tuple[list[Any], ...]) -> None:
    base, theirs, ours = ([f"{item}" for item in side] for side in sides)
    both = merged("union", base, theirs=theirs, ours=ours)
    kept = [item for item in theirs if item in both]
    assert both[: len(kept)] == kept or theirs == base
    added = [item for item in dict.fromkeys(ours) if item in both and item not in theirs]
    assert both[len(both) - len(added) :] == added or theirs == base


@given(SIZES)
def test_the_largest_is_the_same_whoever_comes_first(sides: tuple[Any, ...]) -> None:
    base, one, other = sides
    first, second = merged("max", base, theirs=one, ours=other), merged("max", base, theirs=other, ours=one)
    assert first == second or merged("max", None, theirs=first, ours=second) == first


@pytest.mark.parametrize(
    ("theirs", "ours", "larger"),
    [
        (1, 2.5, 2.5),
        (3, 2, 3),
        (None, -1, -1),
        (-1, None, -1),
        ("2026-09-30", "2026-10-01", "2026-10-01"),
        ("2026-10-01T12:00:00Z", "2026-10-01T13:00:00+02:00", "2026-10-01T12:00:00Z"),
        ("2026-10-01t12:00:00z", "2026-10-01T14:00:00.5+02:00", "2026-10-01T14:00:00.5+02:00"),
    ],
)
def test_null_loses_and_times_are_compared_by_when_they_are(theirs: Any, ours: Any, larger: Any) -> None:
    assert merged("max", 0, theirs=theirs, ours=ours) == larger


@given(LAWFUL["append"])
def test_appending_keeps_the_items_of_both_in_their_order(sides: tuple[list[Any], ...]) -> None:
    base, theirs, ours = sides
    assert merged("append", base, theirs=theirs, ours=ours) == theirs + ours[len(base) :]


@given(st.tuples(VALUES, VALUES, VALUES))
def test_the_last_is_ours_if_we_changed_it(sides: tuple[Any, ...]) -> None:
    base, theirs, ours = sides
    result = merged("last", base, theirs=theirs, ours=ours)
    assert repr(_told_apart(result)) in (repr(_told_apart(ours)), repr(_told_apart(theirs)))
    assert _told_apart(ours) == _told_apart(base) or result == ours


def test_items_are_told_apart_as_json_does() -> None:
    assert merged("union", [1, True, "1"], theirs=[1, True, "1", 0], ours=[1.0, "1", False]) == [1, "1", 0, False]
    assert merged("union", [{"a": 1, "b": 2}], theirs=[{"b": 2, "a": 1}, 3], ours=[{"a": 1, "b": 2}, 4]) == [
        {"b": 2, "a": 1},
        3,
        4,
    ]


def test_null_is_an_empty_list() -> None:
    assert merged("append", None, theirs=[1], ours=[2]) == [1, 2]
    assert merged("union", [1], theirs=[1, 2], ours=None) == [2]
    assert merged("union", None, theirs=None, ours=[1]) == [1]


@pytest.mark.parametrize(
    ("policy", "base", "theirs", "ours"),
    [
        ("append", [1, 2], [1, 2, 3], [2]),
        ("append", [1], [1, 2], [True, 3]),
        ("append", [], [1], "text"),
        ("union", [], {"a": 1}, [1]),
        ("max", 1, 2, True),
        ("max", 1, 2, "2026-10-01"),
        ("max", None, "2026-10-01", "tomorrow"),
    ],
)
def test_what_a_policy_cannot_merge_it_says(policy: MergePolicy, base: Any, theirs: Any, ours: Any) -> None:
    with pytest.raises(Unmergeable):
        merged(policy, base, theirs=theirs, ours=ours)


def test_neither_side_is_changed_by_merging() -> None:
    rules: list[Callable[..., Any]] = [POLICIES["append"], POLICIES["union"]]
    for rule in rules:
        base, theirs, ours = [1], [1, 2], [1, 3]
        assert rule(base, theirs, ours) == [1, 2, 3]
        assert (base, theirs, ours) == ([1], [1, 2], [1, 3])
