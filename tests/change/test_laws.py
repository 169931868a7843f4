"""What holds of every difference, whatever the workflows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.change.alignment import aligned
from fsm_agent.change.change import Level
from fsm_agent.change.difference import compare
from fsm_agent.change.quotations import quoted
from fsm_agent.dialect import read_document
from fsm_agent.domain.state import Candidates, Handlers, State, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import load, loads
from tests.change.versions import GALLERY, SMALL, edited, told
from tests.faults.random_workflows import documents
from tests.proof.random_properties import example
from tests.support.hypothesis_settings import example_settings


@pytest.mark.parametrize("file", GALLERY, ids=lambda file: file.stem)
def test_a_workflow_of_the_gallery_does_not_differ_from_itself(file: Path) -> None:
    difference = compare(load(file), load(file))
    assert difference.is_empty
    assert (difference.meaning, difference.agents, difference.renames) == ((), (), {})
    assert all(each.before == each.now for each in difference.properties)


@example_settings(100)
@given(documents())
def test_a_random_workflow_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    workflow, _ = read_document(document)
    assert workflow is not None
    difference = compare(workflow, Workflow.from_json(workflow.to_json()))
    assert difference.is_empty
    assert (difference.meaning, difference.agents, difference.renames) == ((), (), {})


@example_settings(100)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_between_any_two_workflows_each_row_has_a_number_and_a_sentence(one: int, other: int) -> None:
    """Two workflows that have nothing to do with each other are compared without failing."""
    difference = compare(replace(example(one).workflow, must=()), replace(example(other).workflow, must=()))
    numbers = [row.number for row in difference.rows if row.number is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    for row in difference.rows:
        assert row.change.text.count("`") % 2 == row.change.risk.count("`") % 2 == 0
        assert row.change.keys or not row.change.is_drawn


@example_settings(100)
@given(st.text(st.sampled_from("`\n\r\x1b\u202e\u2028 aé|]")))
def test_a_quotation_cannot_be_ended_from_inside(text: str) -> None:
    """Nor does it break the line, or steer a terminal."""
    said = quoted(text)
    assert said == "nothing" or (said.count("`") == 2 and said.startswith("`") and said.endswith("`"))
    assert said.isprintable() or not text.isascii()
    assert not set(said) & set("\n\r\x1b\u202e\u2028")


@example_settings(100)
@given(st.integers(0, 10_000))
def test_the_handler_of_a_parent_that_is_copied_into_all_its_children_has_no_meaning(seed: int) -> None:
    old = replace(example(seed).workflow, must=())
    new = replace(old, states=tuple(map(_pushed_down, old.states)))
    difference = compare(old, new)
    assert difference.meaning == ()
    assert {change.level for change in difference.changes} <= {Level.FINE}


def _pushed_down(state: State) -> State:
    """A compound state whose children have its handlers behind their own. What forbids inherited handlers stays."""
    moved = {event: candidates for event, candidates in state.on.items() if candidates is not None}
    children = tuple(child._replace(on=_with_inherited(child, moved)) for child in state.states)
    kept = {event: None for event in state.on if event not in moved}
    return state._replace(on=kept, states=children) if children else state


def _with_inherited(child: State, moved: Mapping[str, Candidates]) -> Handlers:
    on = dict(child.on)
    for event, candidates in moved.items():
        own = on.get(event, ())
        on[event] = None if own is None else (*own, *candidates)
    return on


def test_two_alike_states_that_change_places_are_no_rename() -> None:
    """In the order of the file, in what they do, and in where they stand."""
    one, two = "  a:\n    do: work\n    on: {done: c}\n", "  b:\n    do: work\n    on: {done: c}\n"
    head = "workflow: w\nversion: 1\nevents: {done: {}}\ninitial: a\nstates:\n"
    tail = "  c: {final: true}\n"
    swapped = compare(loads(f"{head}{one}{two}{tail}"), loads(f"{head}{two}{one}{tail}"))
    assert (swapped.renames, swapped.meaning, told(swapped)) == ({}, (), [])
    other = one.replace("do: work", "do: play"), two.replace("on: {done: c}", "on: {done: a}")
    exchanged = other[1].replace("b:", "a:").replace("done: a", "done: b"), other[0].replace("a:", "b:")
    difference = compare(loads(f"{head}{''.join(other)}{tail}"), loads(f"{head}{''.join(exchanged)}{tail}"))
    assert difference.renames == {}


def test_of_two_that_are_alike_none_is_taken_for_the_one_that_is_gone() -> None:
    head = "workflow: w\nversion: 1\nevents: {go: {}}\ninitial: a\nstates:\n"
    text = f"{head}  a: {{on: {{go: x}}}}\n  x: {{do: work, on: {{go: z}}}}\n  z: {{final: true}}\n"
    both = "  b1: {do: work, on: {go: z}}\n  b2: {do: work, on: {go: z}}\n"
    choice = "{on: {go: [{target: b1, when: event.by == null}, b2]}}"
    new = text.replace("  x: {do: work, on: {go: z}}\n", both).replace("{on: {go: x}}", choice)
    assert compare(loads(text), loads(new)).renames == {}


def test_changes_of_layout_are_no_changes() -> None:
    """Comments, the order of keys, blanks between them, and one transition written in two ways."""
    difference = edited(
        SMALL,
        (
            "  amount: {type: integer, minimum: 0, default: 0}\n  author: string?\n",
            "  author: string?\n  amount: {default: 0, minimum: 0, type: integer} # the sum\n",
        ),
        ("reject: gone", "reject: [{target: gone}]"),
    )
    assert difference.is_empty


def test_what_only_explains_comes_last_and_is_never_drawn() -> None:
    difference = edited(SMALL, ("  idle:\n", "  idle:\n    description: Nothing yet.\n"), ("3d", "5d"))
    assert [(row.number, row.change.what) for row in difference.rows] == [(1, "timer"), (None, "description")]
    assert not difference.rows[-1].change.is_drawn


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4), st.lists(st.sampled_from(["a", "b", "c"]), max_size=4))
def test_each_transition_is_paired_once(olds: list[str], news: list[str]) -> None:
    pairs = aligned(tuple(map(Transition, olds)), tuple(map(Transition, news)))
    assert sorted(pair.old for pair in pairs if pair.old is not None) == list(range(len(olds)))
    assert sorted(pair.new for pair in pairs if pair.new is not None) == list(range(len(news)))
