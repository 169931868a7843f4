"""Parents and children on the command line."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop

TEAM = """
workflow: team
version: 1
data: {topics: {type: array, items: {type: string}, default: [tents, maps, boots]}, found: {type: array, default: []}}
events: {found: {}}
workflows:
  scout:
    workflow: scout
    version: 1
    data: {topic: string, found: string?}
    events: {packed: {}, said: {text: string}}
    initial: packing
    states:
      packing: {do: pack, on: {packed: asking, error: failed}}
      asking:
        ask: {prompt: "What of {{ data.topic }}?", events: [said]}
        on: {said: {target: done, assign: {found: event.text}}}
      done: {final: true, output: {found: data.found}}
      failed: {final: true, outcome: failed}
initial: working
states:
  working:
    do: workflow.run
    with: {workflow: scout, for_each: data.topics, data: {topic: item}, into: found, on_failure: continue}
    on: {found: done}
  done: {final: true, output: {found: data.found}}
"""
ACTIONS = """
from fsm_agent import action

@action
def pack(ctx):
    if ctx.data.topic == "maps":
        raise ValueError("there are no maps")
    return "packed"
"""


@pytest.fixture
def house(shop: Shop) -> Shop:
    shop.write("shop_actions.py", ACTIONS)
    shop.write("team.yaml", TEAM)
    return shop


def test_who_works_for_an_agent_is_shown_with_what_they_ask(house: Shop) -> None:
    started = house("--json", "run", "team.yaml", "--id", "t")
    assert (started.code, started.json["status"], "children" in started.json) == (0, "running", False)
    children = house("--json", "show", "t").json["children"]
    assert [(child["id"], child["state"], child["status"]) for child in children["agents"]] == [
        ("t.1.1", "asking", "waiting"),
        ("t.1.2", "failed", "failed"),
        ("t.1.3", "asking", "waiting"),
    ]
    assert (children["total"], children["ended"], children["agents"][1]["question"]) == (3, 1, None)
    for child, prompt in ((children["agents"][0], "What of tents?"), (children["agents"][2], "What of boots?")):
        assert child["question"] == house("--json", "show", child["id"]).json["question"]
        assert (child["question"]["id"], child["question"]["prompt"]) == (2, prompt)
    shown = house("show", "t").out
    assert "children:\n    1 of 3 have ended" in shown
    assert shown.index("t.1.1") < shown.index("What of tents?") < shown.index("t.1.2")
    assert house("--json", "show", "t.1.1").json["parent"] == "t"
    assert "child of  t" in house("show", "t.1.1").out


def test_answers_to_children_take_the_parent_on(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    for number in (3, 1):
        answered = house("--json", "answer", f"t.1.{number}", f"fine {number}")
        assert (answered.code, answered.json["id"], answered.json["status"]) == (0, f"t.1.{number}", "done")
    done = house("--json", "show", "t").json
    assert (done["status"], done["children"]) == ("done", None)
    assert done["output"] == {"found": [{"found": "fine 1"}, None, {"found": "fine 3"}]}


def test_an_answer_to_a_child_is_for_the_question_that_it_names(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    late = house("answer", "t.1.1", "fine", "--question", "1")
    assert (late.code, "it asks question 2 now: 'What of tents?'" in late.err) == (1, True)
    assert house("--json", "answer", "t.1.1", "fine", "--question", "2").json["status"] == "done"


def test_whoever_cancels_a_parent_cancels_its_children(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    assert house("cancel", "t").code == 0
    listed = house("--json", "list").json["agents"]
    assert [agent["status"] for agent in listed] == ["cancelled", "cancelled", "failed", "cancelled"]


def test_resume_and_worker_find_nothing_to_do_while_children_ask(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    resumed = house("--json", "resume", "t")
    assert (resumed.code, resumed.json["status"]) == (0, "running")
    assert house("--json", "worker", "--once").json == {"driven": []}
