"""What checking and drawing costs grows with the workflow, and not with its square: counted in calls, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import pytest

from benchmarks.large import large_workflow
from fsm_agent.check import behaviour_findings
from fsm_agent.check.document_checks import examine
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.formats import draw

#: A workflow three times as large may take so many times the calls.
MOST: Final = 3.6


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those of Python's own included."""
    count = 0

    def seen(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def checked(document: Json) -> set[str]:
    workflow, findings = examine(document)
    return {each.code for each in [*findings, *(behaviour_findings(workflow) if workflow else [])]}


def test_the_calls_of_a_check_grow_with_the_workflow() -> None:
    assert checked(large_workflow(80)) == set()
    assert calls(lambda: checked(large_workflow(240))) < MOST * calls(lambda: checked(large_workflow(80)))


def faulty(groups: int) -> Json:
    """So many of each: unreachable states, traps, dead ends, cycles without bounds, shadowed transitions, handlers of
    what cannot happen, and guards that look at a long list."""
    states: dict[str, Json] = {"start": {"on": {f"to_{at}": f"work_{at}" for at in range(groups)}}}
    for at in range(groups):
        states[f"work_{at}"] = {"do": "work", "on": {"again": f"more_{at}", "stop": f"trap_{at}", "end": f"dead_{at}"}}
        states[f"more_{at}"] = {"do": "work", "on": {"again": f"work_{at}", "stop": "done"}}
        states[f"trap_{at}"] = {"on": {"stop": f"trapped_{at}", "error": "done"}}
        states[f"trapped_{at}"] = {"on": {"stop": [f"trap_{at}", {"target": "done"}]}}
        states[f"dead_{at}"] = {}
        states[f"lost_{at}"] = {"on": {"stop": {"target": "done", "when": f"size(data.list) + data.list[0] > {at}"}}}
    return {
        "workflow": "faulty",
        "version": 1,
        "data": {"list": "[integer]"},
        "events": {**{each: {} for each in ("again", "stop", "end")}, **{f"to_{at}": {} for at in range(groups)}},
        "initial": "start",
        "states": {**states, "done": {"final": True}},
    }


def test_nor_do_mistakes_cost_more_the_more_there_are_of_them() -> None:
    kinds = {"FSM208", "FSM301", "FSM302", "FSM303", "FSM304", "FSM306", "FSM307"}
    assert checked(faulty(10)) == kinds
    assert calls(lambda: checked(faulty(48))) < MOST * calls(lambda: checked(faulty(16)))


@pytest.mark.parametrize("format_name", ["dot", "mermaid"])
def test_the_calls_of_a_drawing_grow_with_the_workflow(format_name: str) -> None:
    small, large = read(large_workflow(80, 2)), read(large_workflow(240, 2))
    draw(small, format_name), draw(large, format_name)  # what is kept is kept for both
    assert calls(lambda: draw(large, format_name)) < MOST * calls(lambda: draw(small, format_name))


def read(document: Json) -> Workflow:
    workflow, _ = examine(document)
    assert workflow is not None
    return workflow
