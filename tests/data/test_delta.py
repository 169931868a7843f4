"""Data = fold(deltas), whatever the snapshots between, in bytes that are linear in what changed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fsm_agent.data.delta import Folded, apply, escape, fold, own, segments, snapshot_weight, weight
from fsm_agent.data.draft import DictDraft, collect
from fsm_agent.domain.record import Snapshot
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind


def step(version: int, delta: Delta) -> Step:
    return Step(version, StepKind.EVENT, "e", {}, "a", "a", 0, delta)


def append(draft: Any, n: int) -> None:
    draft["log"].append({"n": n, "tags": []})


def tag_an_item(draft: Any, n: int) -> None:
    if draft["log"]:
        draft["log"][n % len(draft["log"])]["tags"].append(n)


def replace_an_item(draft: Any, n: int) -> None:
    if draft["log"]:
        draft["log"][n % len(draft["log"])] = {"n": -n, "tags": [n]}


def start_over(draft: Any, n: int) -> None:
    draft["log"] = [{"n": n, "tags": []}]


def drop_one(draft: Any, n: int) -> None:
    del draft["log"][: n % 2]


def change_deep_inside(draft: Any, n: int) -> None:
    draft["trip"].setdefault(str(n % 3), {})["n"] = n


def forget_deep_inside(draft: Any, n: int) -> None:
    draft["trip"].pop(str(n % 3), None)


def count(draft: Any, n: int) -> None:
    draft["count"] = n


CHANGES = [
    append, append, tag_an_item, replace_an_item, start_over, drop_one, change_deep_inside, forget_deep_inside, count,
]  # fmt: skip


def read(snapshot: Snapshot | None, steps: list[Step]) -> Folded:
    """The fold of what a store gives, shared with nobody: all after the snapshot, and what its lists leave out."""
    since = min(snapshot.appended_since.values(), default=snapshot.version) if snapshot else 0
    tail = [step._replace(delta=read_again(step.delta)) for step in steps if step.version > since]
    return fold(copy.deepcopy(snapshot), tail)


def read_again(delta: Delta) -> Delta:
    """The same changes, sharing nothing."""
    return Delta.from_json(copy.deepcopy(delta.to_json()))


@given(some.lists(some.tuples(some.sampled_from(CHANGES), some.integers(0, 9), some.booleans()), max_size=40))
def test_data_is_the_fold_of_its_steps_whichever_snapshots_were_taken(plan: list[tuple[Any, int, bool]]) -> None:
    first: dict[str, Any] = {"log": [], "trip": {}, "count": 0}
    folded, steps, snapshot = Folded(), [step(1, Delta(set=copy.deepcopy(first)))], None
    folded.take(1, Delta(set=copy.deepcopy(first)))
    for version, (change, n, is_snapshot_due) in enumerate(plan, start=2):
        draft = DictDraft(folded.values)
        change(draft, n)
        delta, new = collect(draft), draft.plain()
        folded.take(version, delta)
        steps.append(step(version, read_again(delta)))
        assert folded.values == new
        if is_snapshot_due:
            snapshot = copy.deepcopy(folded.snapshot(version))
        again = read(snapshot, steps)
        assert again.values == new
        if is_snapshot_due:
            folded = again
    assert read(None, steps).values == folded.values, "a snapshot is a cache of the history, and nothing else"


def test_a_list_that_is_only_appended_to_is_not_in_the_snapshot() -> None:
    folded = Folded()
    folded.take(1, Delta(set={"log": ["first"], "n": 0}))
    for version in range(2, 50):
        folded.take(version, Delta(append={"log": ["x" * 100]}))
    snapshot = folded.snapshot(49)
    assert snapshot.values == {"log": ["first"], "n": 0}
    assert snapshot.appended_since == {"log": 1}
    assert snapshot_weight(folded) < 60


def test_a_list_that_was_changed_inside_is_kept_whole_by_the_next_snapshot() -> None:
    folded = Folded()
    folded.take(1, Delta(set={"log": []}))
    folded.take(2, Delta(append={"log": [{"tags": []}]}))
    folded.take(3, Delta(append={"log/0/tags": ["late"]}))
    snapshot = folded.snapshot(3)
    assert snapshot == Snapshot(3, {"log": [{"tags": ["late"]}]}, {})


@given(some.text(), some.text())
def test_a_pointer_leads_back_to_the_keys_it_was_made_of(one: str, other: str) -> None:
    assert segments(f"{escape(one)}/{escape(other)}") == [one, other]


def test_a_delta_changes_places_inside_dicts_and_lists() -> None:
    values: dict[str, Any] = {"trip": {"legs": [{"to": "NYC"}], "a/b": 1}, "n": 1}
    apply(values, Delta({"trip/legs/0/to": "LAX", "n": 2}, ("trip/a~1b",), {"trip/legs": [{"to": "SFO"}]}))
    assert values == {"trip": {"legs": [{"to": "LAX"}, {"to": "SFO"}]}, "n": 2}


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers(-(2**63), 2**63 - 1) | some.floats(allow_nan=False) | some.text(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
        max_leaves=10,
    )
)
def test_what_is_json_is_copied_as_it_is_and_weighs_about_its_bytes(value: Any) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return
    copied = own(value)
    assert copied == value
    assert copied is not value or not isinstance(value, (dict, list))
    assert weight(value) <= 4 * len(text) + 20
    assert len(text) <= 6 * weight(value) + 20


@pytest.mark.parametrize("empty", [Delta(), Delta({}, (), {})])
def test_an_empty_delta_is_false_and_says_nothing(empty: Delta) -> None:
    assert not empty
    assert empty.to_json() == {}
    assert Delta.from_json({}) == empty
