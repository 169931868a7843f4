"""Durable timers: armed on entry, cleared on leaving, one transition each, never early, never lost."""

from __future__ import annotations

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.errors import IllegalEvent, NotAsked
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.testing import Drive, drive
from tests.support.runtime import flow, story


def armed(run: Drive) -> dict[str, int]:
    """Seconds from now until each armed timer is due."""
    return {f"{timer.state} {timer.label}": (timer.due_ms - run.clock.ms) // 1000 for timer in run.head.timers}


NESTED = flow("""
    data: {nagged: {type: integer, default: 0}}
    events: {go: {}, again: {}, note: {}}
    initial: outer
    states:
      outer:
        initial: a
        after: {1h: late}
        states:
          a:
            after: {10m: b, 5m: {assign: {nagged: data.nagged + 1}}}
            on: {go: b, again: a, note: {assign: {nagged: 10}}}
          b: {on: {go: a}}
      late: {final: true, outcome: cancelled}
""")


def test_entering_arms_and_leaving_clears_but_for_what_ancestors_armed() -> None:
    run = drive(NESTED)
    assert armed(run) == {"outer 1h": 3600, "outer.a 10m": 600, "outer.a 5m": 300}
    assert armed(run.advance(minutes=1).send("go")) == {"outer 1h": 3540}
    assert armed(run.advance(minutes=1).send("go")) == {"outer 1h": 3480, "outer.a 10m": 600, "outer.a 5m": 300}


def test_a_self_target_arms_anew_and_an_internal_transition_does_not() -> None:
    run = drive(NESTED).advance(minutes=1).send("note")
    assert armed(run)["outer.a 10m"] == 540
    assert armed(run.send("again"))["outer.a 10m"] == 600


def test_an_internal_timer_fires_once_and_leaves_the_others_as_they_are() -> None:
    run = drive(NESTED).advance(minutes=5)
    assert (run.data["nagged"], armed(run)) == (1, {"outer 1h": 3300, "outer.a 10m": 300})
    assert run.advance(minutes=5).state == "outer.b"
    assert story(run.history)[1:] == ["event after outer.a>outer.a", "event after outer.a>outer.b"]
    assert [step.payload for step in run.history[1:]] == [{"after": "5m"}, {"after": "10m"}]
    assert run.data["nagged"] == 1


def test_a_timer_is_never_early() -> None:
    run = drive(NESTED).advance(minutes=9, seconds=59, milliseconds=999)
    assert run.state == "outer.a"
    assert run.advance(milliseconds=1).state == "outer.b"


def test_of_timers_due_together_the_first_declared_comes_first_and_each_is_a_step() -> None:
    together = flow("""
        data: {log: {type: array, items: {type: string}, default: []}}
        initial: outer
        states:
          outer:
            initial: a
            after: {60s: {append: {log: "'outer'"}}}
            states:
              a:
                after:
                  1m: {append: {log: "'first'"}}
                  60s: {append: {log: "'second'"}}
                  60000ms: b
              b: {}
    """)
    run = drive(together).advance(hours=1)
    assert run.data["log"] == ["outer", "first", "second"]
    assert (run.state, run.agent.version) == ("outer.b", 5)
    assert armed(run) == {}


def test_a_timer_of_an_ancestor_that_moves_its_child_fires_once() -> None:
    moving = flow("""
        initial: outer
        states:
          outer:
            initial: a
            after: {1h: outer.b}
            states: {a: {}, b: {}}
    """)
    run = drive(moving).advance(hours=5)
    assert (run.state, run.agent.version, armed(run)) == ("outer.b", 2, {})


def test_a_timer_that_its_guards_refuse_has_had_its_turn_on_record() -> None:
    guarded = flow("""
        data: {n: {type: integer, default: 0}}
        initial: a
        states:
          a: {after: {1h: {target: b, when: data.n > 0}, 2h: b}}
          b: {}
    """)
    run = drive(guarded).advance(hours=1)
    assert (run.state, armed(run)) == ("a", {"a 2h": 3600})
    refused = run.history[-1]
    assert story([refused]) == ["refused after a>a"]
    assert refused.reason == "the guards of timer 1h refused: data.n > 0"
    assert run.advance(hours=1).state == "b"


def test_a_timer_whose_guard_fails_parks_and_the_timers_wait_with_the_agent() -> None:
    broken = flow("""
        data: {n: {type: integer, default: 0}}
        events: {mend: {}}
        initial: a
        states:
          a:
            after: {1h: {target: b, when: 1 / data.n > 0}}
            on: {mend: {assign: {n: 1}}}
          b: {}
    """)
    run = drive(broken).advance(hours=2)
    assert (run.status, run.agent.error and run.agent.error["type"]) == (Status.PARKED, "ExpressionFailed")
    assert run.advance(days=9).status is Status.PARKED
    run.unpark("mend", by="op")
    assert (run.state, run.status) == ("b", Status.WAITING)
    assert story(run.history)[1:] == ["parked after a>a", "unparked mend a>a", "event after a>b"]


ASKING = flow("""
    events: {yes: {}, no: {}}
    initial: asking
    states:
      asking:
        ask: {prompt: Well?, events: [yes, no]}
        after: {1h: working}
        on: {yes: done, no: done}
      working: {do: work, on: {yes: done, error: asking}}
      done: {final: true}
""")


def test_a_late_answer_is_refused_though_nobody_was_awake_and_the_agent_is_driven_on() -> None:
    run = drive(ASKING, actions={"work": ["yes"]})
    run.clock.advance(hours=1)
    with pytest.raises(NotAsked, match="asks nothing now: it is running in state 'working'"):
        run.answer("no")
    assert (run.state, run.status) == ("done", Status.DONE)
    assert story(run.history)[1:] == ["event after asking>working", "event yes working>done"]
    with pytest.raises(IllegalEvent):
        run.send("no")


def test_the_deadline_of_a_question_is_the_earliest_armed_timer() -> None:
    question = drive(ASKING).agent.question
    assert question is not None
    assert question.deadline is not None
    assert question.deadline.isoformat() == "2026-01-01T01:00:00+00:00"


def test_a_timer_in_a_backoff_ends_it() -> None:
    backing_off = flow("""
        events: {ok: {}}
        initial: working
        states:
          working: {do: work, retry: {attempts: 9, backoff: 1h}, after: {150m: late}, on: {ok: late, error: late}}
          late: {final: true}
    """)
    run = drive(backing_off, actions={"work": [ConnectionError("down")] * 9})
    assert run.state == "late"
    assert story(run.history) == ["created created >working", "event after working>late"]
    assert run.clock.ms - NEW_YEAR_MS == 150 * 60_000


def test_times_in_the_history_never_decrease() -> None:
    run = drive(NESTED).advance(minutes=20)
    run.clock.ms -= 3_600_000
    run.send("go")
    times = [step.at_ms for step in run.history]
    assert times == sorted(times)
