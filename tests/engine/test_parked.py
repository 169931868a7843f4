"""Limits, agents that need an operator, and the ways out."""

from __future__ import annotations

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.errors import GuardsRefused, IllegalEvent, NotParked, PayloadInvalid, UnknownEvent
from fsm_agent.testing import Drive, drive
from tests.support.runtime import flow, story

ROUND = flow("""
    data: {n: {type: integer, default: 0}}
    events: {go: {n: integer}, back: {}, note: {}}
    initial: a
    states:
      a: {on: {go: {target: b, assign: {n: event.n}}, note: {assign: {n: data.n + 1}}}}
      b: {on: {back: a}}
    limits: {visits: {b: 2}, steps: 6}
""")


def exhausted() -> Drive:
    """An agent whose last event would have entered ``b`` once too often."""
    run = drive(ROUND)
    for n in (1, 2):
        run.send("go", n=n).send("back")
    return run.send("go", by="ana", n=3)


def test_a_transition_beyond_a_limit_parks_the_agent_with_the_event() -> None:
    run = exhausted()
    assert (run.state, run.status, run.data["n"], run.agent.delivery) == ("a", Status.PARKED, 2, "queued")
    assert run.agent.error == {
        "type": "LimitExceeded",
        "message": "limit visits.b = 2 would be exceeded in state 'a'",
    }
    assert story(run.history)[-1] == "parked go a>a"


def test_a_retry_lets_the_event_exceed_the_limit_once() -> None:
    run = exhausted().unpark(by="op")
    assert (run.state, run.status, run.data["n"], run.head.visits["b"]) == ("b", Status.WAITING, 3, 3)
    assert story(run.history)[-1] == "unparked go a>b"
    assert run.history[-1].payload == {"n": 3}
    assert run.agent.error is None
    run.send("back")
    assert run.status is Status.PARKED, "the limit of steps has been exceeded since"


def test_the_limit_of_steps_counts_every_step_and_the_one_that_parks_is_exempt() -> None:
    run = drive(ROUND)
    for _ in range(5):
        run.send("note")
    assert (run.agent.version, run.status) == (6, Status.WAITING)
    run.send("note")
    assert (run.agent.version, run.status, run.data["n"]) == (7, Status.PARKED, 5)
    assert run.unpark().data["n"] == 6
    assert run.send("note").status is Status.PARKED


def test_what_is_over_its_limit_can_still_be_cancelled() -> None:
    assert exhausted().cancel().status is Status.CANCELLED


def test_without_limits_nothing_is_counted_against() -> None:
    endless = flow("""
        events: {go: {}}
        initial: a
        states: {a: {on: {go: a}}}
    """)
    run = drive(endless)
    for _ in range(300):
        run.send("go")
    assert run.head.visits == {"a": 301}


def test_a_limit_that_an_action_s_event_exceeds_parks_and_a_retry_works_once_more() -> None:
    looping = flow("""
        events: {again: {}, ok: {}}
        initial: working
        states:
          working: {do: work, on: {again: working, ok: done}}
          done: {final: true}
        limits: {visits: {working: 2}}
    """)
    run = drive(looping, actions={"work": ["again"] * 4 + ["ok"]})
    assert (run.status, run.head.visits["working"]) == (Status.PARKED, 2)
    run.unpark()
    assert (run.status, run.head.visits["working"]) == (Status.PARKED, 3), "exempt once"
    assert run.unpark().state == "done"


PARKING = flow("""
    data: {n: {type: integer, default: 0}}
    events: {ok: {}, fix: {n: integer}, note: {}}
    initial: working
    states:
      working:
        do: work
        after: {1d: late}
        on:
          ok: done
          note: {assign: {n: data.n + 1}}
          fix: {target: done, when: event.n > 0, assign: {n: event.n}}
      done: {final: true}
      late: {final: true, outcome: failed}
""")


def parked(*then: object) -> Drive:
    return drive(PARKING, actions={"work": [ValueError("x"), *then]})


def test_a_parked_agent_takes_no_event_but_cancel() -> None:
    run = parked()
    with pytest.raises(IllegalEvent, match="because the agent is parked and needs `unpark`; allowed: cancel"):
        run.send("note")
    assert run.cancel(by="op").status is Status.CANCELLED
    assert run.agent.error is None


def test_an_event_may_happen_instead_by_hand_and_is_checked_like_any_other() -> None:
    run = parked()
    with pytest.raises(GuardsRefused):
        run.unpark("fix", n=0)
    with pytest.raises(PayloadInvalid):
        run.unpark("fix", m=1)
    with pytest.raises(UnknownEvent):
        run.unpark("fixx")
    assert run.status is Status.PARKED
    run.unpark("fix", by="op", n=2)
    assert (run.state, run.data["n"], run.history[-1].by) == ("done", 2, "op")
    assert story(run.history)[-1] == "unparked fix working>done"


def test_after_an_internal_event_by_hand_the_work_goes_on() -> None:
    run = parked("ok").unpark("note")
    assert (run.state, run.data["n"]) == ("done", 1)
    assert story(run.history)[1:] == [
        "parked error working>working", "unparked note working>working", "event ok working>done",
    ]  # fmt: skip


def test_timers_wait_with_a_parked_agent_and_come_first_when_it_is_unparked() -> None:
    run = parked("never called").advance(days=3)
    assert run.status is Status.PARKED
    assert run.unpark().state == "late"


def test_only_a_parked_agent_can_be_unparked() -> None:
    run = drive(ROUND)
    with pytest.raises(NotParked, match="is waiting, and only a parked one can be unparked"):
        run.unpark()
    assert len(run.history) == 1
