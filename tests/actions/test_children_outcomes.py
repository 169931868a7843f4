"""What became of each child is told to its parent, so that a workflow can tell why a result is missing."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent import Context, Runner, Status, action, open_store
from fsm_agent.errors import WorkflowInvalid
from tests.support.runtime import flow, on_loop

FAMILY = """
    data:
      many: {{type: array, default: []}}
      results: {results}
      told: {results}
    events: {{joined: {{}}}}
    workflows:
      child:
        workflow: child
        version: 1
        data: {{n: {{type: integer, maximum: 9}}}}
        events: {{found: {{}}, lost: {{}}}}
        initial: looking
        on: {{cancel: dropped}}
        states:
          looking: {{do: look, on: {{found: done, lost: given_up, error: failed}}}}
          done: {{final: true, output: {{n: data.n}}}}
          given_up: {{final: true, outcome: failed}}
          failed: {{final: true, outcome: failed}}
          dropped: {{final: true, outcome: cancelled}}
    initial: joining
    states:
      joining:
        do: workflow.run
        with: {{workflow: child, {given}, into: results, outcomes: told, on_failure: continue}}
        on: {{joined: done}}
      done: {{final: true}}
"""
LIST = "{type: array, default: []}"


@action
async def look(ctx: Context) -> str:
    if ctx.data.n == 2:
        raise LookupError("there is no 2")
    return "lost" if ctx.data.n == 3 else "found"


async def lived(given: str, results: str, **data: Any) -> Any:
    async with Runner(open_store("memory://"), actions=[look]) as runner:
        return await runner.start(flow(FAMILY.format(given=given, results=results)), id="p", data=data)


@on_loop
async def test_each_child_is_told_of_with_its_end_its_output_and_its_error() -> None:
    agent = await lived("for_each: data.many, data: {n: item}", LIST, many=[1, 2, 3, 10])
    assert agent.data["results"] == [{"n": 1}, None, None, None]
    assert agent.data["told"] == [
        {"id": "p.1.1", "item": 1, "state": "done", "status": "done", "output": {"n": 1}, "error": None},
        {
            "id": "p.1.2",
            "item": 2,
            "state": "failed",
            "status": "failed",
            "output": None,
            "error": {"type": "LookupError", "message": "there is no 2"},
        },
        {"id": "p.1.3", "item": 3, "state": "given_up", "status": "failed", "output": None, "error": None},
        {
            "id": "p.1.4",
            "item": 10,
            "state": None,
            "status": "failed",
            "output": None,
            "error": {"type": "DataInvalid", "message": "the data is wrong: n: 10 is greater than the maximum of 9"},
        },
    ]


@on_loop
async def test_of_one_child_there_is_one_outcome() -> None:
    agent = await lived("data: {n: 2}", "object?")
    assert (agent.status, agent.data["results"]) == (Status.DONE, None)
    assert (agent.data["told"]["status"], agent.data["told"]["error"]["message"]) == ("failed", "there is no 2")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("told_", r"FSM203 there is no data field `told_` for the result \(did you mean `told`\?\)"),
        ("n", "FSM204 `for_each` gives a list of results, and `n` takes integer or null"),
    ],
)
def test_the_field_for_it_is_checked(told: str, complaint: str) -> None:
    text = FAMILY.format(given="for_each: data.many, data: {n: item}", results=LIST)
    text = text.replace("outcomes: told", f"outcomes: {told}")
    with pytest.raises(WorkflowInvalid, match=complaint):
        flow(text.replace("      many:", "      n: integer?\n      many:"))
