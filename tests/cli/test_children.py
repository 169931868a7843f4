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


def test_who_has_failed_is_told_with_the_reason_also_when_the_parent_has_ended(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    failed = [{"id": "t.1.2", "state": "failed", "status": "failed"}]

    def told() -> list[dict[str, object]]:
        found = house("--json", "show", "t").json["failed_children"]
        [error] = [each.pop("error") for each in found]
        assert (error["type"], error["message"]) == ("ValueError", "there are no maps")
        assert error["place"].startswith("shop_actions.py:")
        assert "ValueError: there are no maps" in house("show", "t").out
        return found

    assert told() == failed
    for number in (1, 3):
        house("answer", f"t.1.{number}", "fine")
    assert house("--json", "show", "t").json["status"] == "done"
    assert told() == failed
    joined = house("--json", "history", "t").json["steps"][-1]
    assert (joined["event"], joined["reason"]) == ("found", "1 of 3 children failed")
    assert "1 of 3 children failed" in house("history", "t").out
    assert house("--json", "replay", "t").json["verified"]
    assert house("--json", "show", "t.1.1").json["failed_children"] == []


def test_a_parent_says_whom_it_waits_for(house: Shop) -> None:
    house("run", "team.yaml", "--id", "t")
    assert (
        "1 of 3 have ended\n    the agent waits for t.1.1 (waiting in asking), t.1.3 (waiting in asking)"
        in house("show", "t").out
    )
    house("answer", "t.1.1", "fine")
    assert "the agent waits for t.1.3 (waiting in asking)" in house("show", "t").out


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
