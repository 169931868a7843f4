"""The compiled table: pure look-ups, and none of the traps of the library below it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import transitions

from fsm_agent.domain.decision import EvaluationContext, GuardsRefuse, NotAllowed, Taken, timer_event
from fsm_agent.domain.step import Event
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import ExpressionFailed
from tests.support.runtime import flow

FLOW = flow("""
    data: {n: {type: integer, default: 0}, names: {type: array, items: {type: string}, default: []}}
    events: {go: {}, back: {}, loop: {}}
    initial: a
    on: {cancel: gone, error: gone}
    states:
      a:
        after: {1h: {target: b.c, when: data.n > 0}}
        on: {go: [{target: b, when: data.n > 1}, {target: b.d, when: 1 / data.n > 0}], loop: {assign: {n: 1}}}
      b:
        initial: c
        on: {back: a, error: null}
        states:
          c: {}
          d: {on: {error: a}}
      gone: {final: true}
""")
MACHINE = Machine(FLOW)


def context(n: Any = 0) -> EvaluationContext:
    return EvaluationContext({"n": n, "names": []}, Event("go"), {})


def test_deciding_answers_taken_not_allowed_or_refused_and_changes_nothing() -> None:
    before = (dict(context().data), len(MACHINE.moves("a", "go")))
    taken = MACHINE.decide("a", "go", context(2))
    assert isinstance(taken, Taken)
    assert (taken.move.target, taken.move.exited, taken.move.entered) == ("b.c", ("a",), ("b", "b.c"))
    assert MACHINE.decide("a", "back", context()) == NotAllowed()
    assert MACHINE.decide("b.c", "go", context()) == NotAllowed()
    assert MACHINE.decide("a", timer_event("a", "1h"), context()) == GuardsRefuse(("data.n > 0",))
    assert (dict(context().data), len(MACHINE.moves("a", "go"))) == before


def test_the_same_question_has_the_same_answer_whatever_was_asked_between() -> None:
    first = MACHINE.decide("a", "go", context(2))
    with pytest.raises(ExpressionFailed):
        MACHINE.decide("a", "go", context(0))
    MACHINE.decide("b.c", "back", context())
    assert MACHINE.decide("a", "go", context(2)) == first


def test_a_guard_that_fails_is_an_error_and_no_false() -> None:
    with pytest.raises(ExpressionFailed, match=r"expression `1 / data\.n > 0` failed"):
        MACHINE.decide("a", "go", context(0))


def test_nothing_leads_out_of_a_final_state_and_null_ends_the_search() -> None:
    for event in ("go", "cancel", "error", "timeout"):
        assert MACHINE.decide("gone", event, context()) == NotAllowed()
    assert MACHINE.decide("b.c", "error", context()) == NotAllowed()
    assert MACHINE.decide("b.c", "timeout", context()) == NotAllowed()
    assert isinstance(MACHINE.decide("b.d", "timeout", context()), Taken)


def test_an_internal_move_leaves_and_enters_nothing() -> None:
    taken = MACHINE.decide("a", "loop", context())
    assert isinstance(taken, Taken)
    assert (taken.move.is_internal, taken.move.target, taken.move.exited, taken.move.entered) == (True, "a", (), ())


def test_a_timer_is_no_event_that_anybody_could_send() -> None:
    assert timer_event("a", "1h") not in FLOW.events
    assert not timer_event("a", "1h").isidentifier()


def test_a_guard_must_give_true_or_false() -> None:
    loose = flow("""
        data: {flag: {}}
        events: {go: {}}
        initial: a
        states: {a: {on: {go: {target: a, when: data.flag}}}}
    """)
    machine = Machine(loose)
    for value in ("yes", 1, [1], None):
        with pytest.raises(ExpressionFailed, match="a guard must give true or false"):
            machine.decide("a", "go", EvaluationContext({"flag": value}, None, {}))
    assert isinstance(machine.decide("a", "go", EvaluationContext({"flag": True}, None, {})), Taken)


def test_the_library_below_is_told_neither_to_move_objects_of_ours_nor_to_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        MACHINE.decide("a", "go", context(2))
    assert caplog.records == []
    machine = MACHINE._machine
    assert isinstance(machine, transitions.Machine)
    assert (machine.models, set(machine.states), machine.has_queue) == ([], {"a", "b.c", "b.d", "gone"}, False)
    assert "to_a" not in machine.events
