"""A play: one life, move by move, on the real engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.agent import Status
from fsm_agent.errors import IllegalEvent, MoveImpossible
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.scripted.moves import Says, Sent, read_move
from fsm_agent.testing import cancels, fails, passes, play, says, sent

ORDER = loads("""
workflow: order
version: 1
data:
  item: string?
  notes: {type: array, items: {type: string}, default: []}
events:
  ordered: {item: string}
  note: {text: string}
  packed: {}
  approve: {}
  stop: {}
initial: new
states:
  new:
    on: {ordered: {target: packing, assign: {item: event.item}}}
  packing:
    do: pack
    timeout: 10m
    retry: {attempts: 3, backoff: 1s}
    on:
      packed: asking
      stop: stopped
      note: {append: {notes: event.text}}
      error: broken
      timeout: late
    after: {1h: late}
  asking:
    ask: {prompt: "Send it?", events: [approve]}
    on: {approve: done}
    after: {3d: late}
  late: {final: true, outcome: failed}
  broken: {final: true, outcome: failed}
  stopped: {final: true, outcome: cancelled}
  done: {final: true}
""")
WORKING = [sent("ordered", item="book")]


def test_what_is_sent_and_said_happens_in_order() -> None:
    life = play(ORDER, [*WORKING, says("packed", data={"item": "a book"}), sent("approve", by="ana")])
    assert (life.state, life.status) == ("done", Status.DONE)
    assert life.data["item"] == "a book"
    assert [step.event for step in life.history] == ["created", "ordered", "packed", "approve"]
    assert life.history[-1].by == "ana"


def test_a_play_may_end_while_an_action_works_and_go_on() -> None:
    life = play(ORDER, WORKING)
    assert (life.state, life.status) == ("packing", Status.RUNNING)
    assert life.then(says("packed")).state == "asking"


def test_an_event_that_leaves_the_state_ends_the_work() -> None:
    assert play(ORDER, [*WORKING, sent("stop")]).state == "stopped"


def test_an_event_that_stays_waits_until_the_action_has_said_something() -> None:
    life = play(ORDER, [*WORKING, sent("note", text="soon")])
    assert life.data["notes"] == []
    with pytest.raises(IllegalEvent):
        life.then(says("packed"), sent("note", text="late"))
    steps = [(step.event, str(step.kind)) for step in life.history]
    assert ("note", "refused") in steps  # it was queued, and is not possible where the agent is now


def test_an_action_fails_as_often_as_it_is_tried() -> None:
    life = play(ORDER, [*WORKING, fails()])
    assert (life.state, life.history[-1].event) == ("broken", "error")


def test_the_time_of_an_action_runs_out() -> None:
    life = play(ORDER, [*WORKING, fails(timeout=True)])
    assert (life.state, life.history[-1].event) == ("late", "timeout")


def test_time_that_passes_while_an_action_works_ends_it_at_its_timeout() -> None:
    life = play(ORDER, [*WORKING, passes("11m")])
    assert (life.state, life.status) == ("packing", Status.RUNNING)  # the second of three attempts
    assert life.then(passes("30m")).history[-1].event == "timeout"


def test_time_that_passes_lets_timers_fire_once_they_are_due() -> None:
    life = play(ORDER, [*WORKING, says("packed"), passes("2d")])
    assert life.state == "asking"
    assert life.then(passes("1d")).state == "late"


ERRAND = loads("""
workflow: errand
version: 1
data: {note: {type: string, default: ""}}
events: {rested: {}, go: {}, again: {why: string}, leave: {}}
initial: resting
states:
  resting:
    do: wait
    with: {for: 3d, emit: rested}
    on: {rested: asking, leave: done}
  asking:
    do: human.ask
    with: {prompt: "Go?", events: [go, again]}
    on: {go: done, again: {target: resting, assign: {note: event.why}}}
  done: {final: true}
""")


def test_a_wait_is_over_when_its_time_has_passed_and_a_question_when_it_is_answered() -> None:
    life = play(ERRAND, [passes("2d"), passes("1d"), sent("again", why="tired"), passes("3d")])
    assert (life.state, life.data["note"], life.prompt) == ("asking", "tired", "Go?")
    assert life.then(sent("go")).state == "done"
    assert play(ERRAND, [passes("1d"), sent("leave")]).state == "done"
    with pytest.raises(MoveImpossible):
        play(ERRAND, [says("rested")])


def test_whoever_cancels_ends_the_work() -> None:
    life = play(ORDER, [*WORKING, cancels(by="ana")])
    assert (life.status, life.history[-1].by) == (Status.CANCELLED, "ana")


def test_nothing_can_say_anything_where_no_action_works() -> None:
    with pytest.raises(MoveImpossible) as refused:
        play(ORDER, [says("packed")])
    assert str(refused.value) == ("move 1, says('packed'), needs an action at work, and the agent is waiting in 'new'")


def test_what_is_refused_is_refused() -> None:
    with pytest.raises(IllegalEvent):
        play(ORDER, [sent("approve")])


def test_moves_are_printed_as_they_are_written() -> None:
    moves = [
        sent("ordered", item="book", by="ana"),
        says("packed", data={"item": "x"}),
        fails(),
        fails(timeout=True),
        passes("3d"),
        cancels(),
    ]
    written = repr(moves)
    names = {"sent": sent, "says": says, "fails": fails, "passes": passes, "cancels": cancels}
    assert eval(written, names) == moves  # noqa: S307 - what this very test has printed


names = st.sampled_from(["text", "from", "class", "data", "by", "event", "e-mail", "None", ""])
payloads: st.SearchStrategy[dict[str, Any]] = st.dictionaries(names, st.sampled_from(["x", 1, None, {"from": []}]))


@given(payload=payloads, data=payloads, by=st.sampled_from([None, "ana"]))
def test_a_move_is_read_as_it_is_printed_whatever_its_fields_are_called(
    payload: dict[str, Any], data: dict[str, Any], by: str | None
) -> None:
    for move in (Sent("moved", payload, by), Says("moved", payload, data)):
        assert read_move(repr(move)) == move
