"""Which transition an event takes, what that leaves and enters, and what it writes."""

from __future__ import annotations

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.errors import DataInvalid, ExpressionFailed, GuardsRefused, IllegalEvent, PayloadInvalid, UnknownEvent
from fsm_agent.testing import drive
from tests.support.runtime import flow, story

NESTED = flow("""
    events: {go: {}, jump: {}, over: {}, up: {}, stay: {}, deep: {}, end: {}}
    initial: a
    on: {end: done}
    states:
      a:
        initial: b
        on: {up: a, over: x, jump: a.b.d}
        states:
          b:
            initial: c
            on: {stay: {}, over: null}
            states:
              c: {on: {go: d, up: a.b}}
              d: {on: {go: d, deep: a.e}}
          e: {}
      x: {}
      done: {final: true}
""")


def entered(event: str, *before: str) -> dict[str, int]:
    """How often an event enters each state."""
    run = drive(NESTED)
    for each in before:
        run.send(each)
    visits = dict(run.head.visits)
    run.send(event)
    return {path: count - visits.get(path, 0) for path, count in run.head.visits.items() if count != visits.get(path)}


def test_entering_a_compound_state_follows_initial_and_counts_ancestors_once() -> None:
    run = drive(NESTED)
    assert run.state == "a.b.c"
    assert run.head.visits == {"a": 1, "a.b": 1, "a.b.c": 1}


def test_a_move_leaves_and_enters_below_the_least_common_ancestor_only() -> None:
    assert entered("go") == {"a.b.d": 1}
    assert entered("deep", "go") == {"a.e": 1}
    assert entered("end") == {"done": 1}


def test_the_common_ancestor_is_that_of_the_active_leaf_not_of_the_declaring_state() -> None:
    assert entered("jump") == {"a.b.d": 1}
    assert entered("jump", "go", "deep") == {"a.b": 1, "a.b.d": 1}


def test_a_self_target_leaves_and_re_enters() -> None:
    assert entered("go", "go") == {"a.b.d": 1}


def test_targeting_an_own_ancestor_re_enters_it() -> None:
    assert entered("up") == {"a.b": 1, "a.b.c": 1}
    assert entered("up", "go") == {"a": 1, "a.b": 1, "a.b.c": 1}


def test_an_internal_transition_moves_nothing() -> None:
    run = drive(NESTED).send("stay")
    assert (run.state, run.agent.version, run.head.visits) == ("a.b.c", 2, {"a": 1, "a.b": 1, "a.b.c": 1})


def test_null_forbids_what_an_ancestor_would_do() -> None:
    run = drive(NESTED)
    assert "over" not in run.agent.allowed
    with pytest.raises(IllegalEvent):
        run.send("over")
    assert run.send("go").send("deep").send("over").state == "x"


def test_candidates_are_tried_from_the_leaf_outward_in_order_and_a_refused_guard_falls_through() -> None:
    levels = flow("""
        data: {n: {type: integer, default: 0}}
        events: {go: {n: integer}}
        initial: outer
        on: {go: {target: w, when: event.n >= 1}}
        states:
          outer:
            initial: inner
            on: {go: {target: o, when: event.n >= 2}}
            states:
              inner:
                on:
                  go: [{target: first, when: event.n >= 4}, {target: second, when: event.n >= 3}]
          first: {}
          second: {}
          o: {}
          w: {}
    """)
    reached = {n: drive(levels).send("go", n=n).state for n in (1, 2, 3, 4)}
    assert reached == {1: "w", 2: "o", 3: "second", 4: "first"}
    run = drive(levels)
    with pytest.raises(GuardsRefused, match=r"`event\.n >= 4` and .*3` and .*2` and `event\.n >= 1` did not hold"):
        run.send("go", n=0)
    assert (run.agent.version, len(run.history)) == (1, 1)


WRITING = flow("""
    data:
      n: {type: integer, default: 1, maximum: 9}
      old: integer?
      by: string?
      log: {type: array, items: {type: integer}, default: []}
      maybe: {type: [array, "null"]}
    events: {add: {n: integer}, write: {}, odd: {}, break: {}}
    initial: a
    states:
      a:
        on:
          add: {assign: {n: data.n + event.n, old: data.n, by: event.by}, append: {log: data.n, maybe: event.name}}
          write: {target: a, assign: {n: 7, by: "'literal'"}}
          odd: {assign: {n: data.n / (data.n - data.n)}}
          break: {target: a, when: data.n / (data.n - data.n) > 1}
""")


def test_every_assign_of_a_transition_sees_the_data_as_it_was_before() -> None:
    run = drive(WRITING).send("add", n=2, by="ana").send("add", n=1)
    assert run.data == {"n": 4, "old": 3, "by": None, "log": [1, 3], "maybe": ["add", "add"]}
    assert run.history[1].delta.to_json() == {
        "set": {"n": 3, "old": 1, "by": "ana", "maybe": ["add"]},
        "append": {"log": [1]},
    }
    assert run.history[1].by == "ana"


def test_in_assign_a_string_is_cel_and_anything_else_is_itself() -> None:
    assert {key: drive(WRITING).send("write").data[key] for key in ("n", "by")} == {"n": 7, "by": "literal"}


def test_an_event_whose_assigns_break_the_schema_is_refused() -> None:
    run = drive(WRITING)
    with pytest.raises(DataInvalid, match="n: 11 is greater than the maximum of 9"):
        run.send("add", n=10)
    assert (run.data["n"], len(run.history)) == (1, 1)


@pytest.mark.parametrize("event", ["odd", "break"])
def test_an_expression_that_fails_on_an_event_from_outside_refuses_it_with_expression_and_values(event: str) -> None:
    run = drive(WRITING)
    with pytest.raises(ExpressionFailed, match=r"expression `data\.n / .* failed: .*divi.*zero.*, where data\.n is 1"):
        run.send(event)
    assert (run.status, len(run.history)) == (Status.WAITING, 1)


def test_an_illegal_event_is_refused_with_the_legal_ones_and_nothing_happens() -> None:
    run = drive(NESTED)
    before = run.head
    with pytest.raises(
        IllegalEvent, match=r"event 'deep' is not allowed in state 'a\.b\.c'; allowed: go, jump, up, stay, end, cancel"
    ):
        run.send("deep")
    assert (run.head, len(run.history)) == (before, 1)


def test_an_unknown_event_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        UnknownEvent, match=r"unknown event 'jmp' \(did you mean `jump`\?\); this workflow has go, jump"
    ):
        drive(NESTED).send("jmp")
    for built_in in ("error", "timeout", "after", "created"):
        with pytest.raises(UnknownEvent):
            drive(NESTED).send(built_in)


def test_that_an_event_is_illegal_matters_more_than_its_payload() -> None:
    with pytest.raises(IllegalEvent):
        drive(NESTED).send("deep", wrong=1)
    with pytest.raises(PayloadInvalid):
        drive(NESTED).send("go", wrong=1)


def test_a_final_state_ends_the_agent_with_its_outcome_and_output() -> None:
    ends = flow("""
        data: {n: {type: integer, default: 2}}
        events: {win: {}, lose: {}, stop: {}}
        initial: a
        states:
          a: {on: {win: won, lose: lost, stop: stopped}}
          won: {final: true, output: {double: data.n * 2, often: 'visits["won"]', fixed: [1]}}
          lost: {final: true, outcome: failed}
          stopped: {final: true, outcome: cancelled}
    """)
    won = drive(ends).send("win")
    assert (won.status, won.agent.output) == (Status.DONE, {"double": 4, "often": 1, "fixed": [1]})
    assert drive(ends).send("lose").status is Status.FAILED
    assert drive(ends).send("stop").status is Status.CANCELLED
    with pytest.raises(IllegalEvent, match="because the agent is done; allowed: nothing"):
        won.send("lose")
    with pytest.raises(IllegalEvent, match="because the agent is done"):
        won.cancel()


def test_guards_see_how_often_a_state_was_entered() -> None:
    twice = flow("""
        events: {go: {}}
        initial: a
        states:
          a:
            on:
              go: [{target: done, when: 'visits["a"] > 2 && visits["done"] == 0'}, a]
          done: {final: true}
    """)
    run = drive(twice)
    assert run.send("go").send("go").state == "a"
    assert run.send("go").state == "done"


def test_cancel_where_it_is_declared_is_an_event_like_any_other() -> None:
    declared = flow("""
        data: {why: string?}
        initial: a
        on: {cancel: {target: tidying, assign: {why: event.by}}}
        events: {tidied: {}}
        states:
          a: {}
          tidying: {on: {tidied: gone}}
          gone: {final: true, outcome: cancelled}
    """)
    run = drive(declared).cancel(by="ana")
    assert (run.state, run.data) == ("tidying", {"why": "ana"})


def test_cancel_where_it_is_not_declared_ends_the_agent_where_it_is() -> None:
    asking = flow("""
        events: {yes: {}}
        initial: a
        states:
          a: {ask: {prompt: Well?, events: [yes]}, after: {1d: done}, on: {yes: done}}
          done: {final: true}
    """)
    run = drive(asking).cancel(by="ana")
    assert (run.state, run.status, run.agent.question, run.agent.allowed) == ("a", Status.CANCELLED, None, ())
    assert story(run.history)[-1] == "cancelled cancel a>a"
    assert run.advance(days=2).status is Status.CANCELLED
