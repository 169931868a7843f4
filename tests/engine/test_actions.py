"""What becomes of what an action returns, raises, and leaves in the data."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.actions.action import Emission
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.errors import ActionMissing, DataInvalid
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.testing import Drive, drive
from tests.support.runtime import flow, story

WORKING = flow("""
    data:
      n: {type: integer, default: 0, maximum: 9}
      seen: integer?
      log: {type: array, items: {type: string}, default: []}
      problem: object?
    events: {ok: {by_how_much: integer}, small: {}, undeclared_here: {}, odd: {}, listed: {}}
    initial: working
    states:
      working:
        do: work
        on:
          ok: {target: done, when: data.n > 0, assign: {seen: data.n + event.by_how_much}}
          small: {target: done, when: data.n < 0}
          odd: {target: done, when: 1 / data.n > 0}
          listed: {target: done, append: {log: "'x'"}}
          error:
            target: failed
            assign: {problem: "{'type': event.type, 'at': event.state, 'n': event.attempt, 'why': event.message}"}
      done: {final: true}
      failed: {final: true, outcome: failed}
""")


def worked(outcome: Any, **data: Any) -> Drive:
    """The agent after its action has had this outcome."""
    return drive(WORKING, actions={"work": [outcome]}, data=data)


def set_n(n: Any, then: Any) -> Any:
    def work(ctx: Context) -> Any:
        ctx.data.n = n
        ctx.data.log.append("worked")
        return then

    return work


def test_guards_assigns_and_the_one_validation_see_what_the_action_changed() -> None:
    run = worked(set_n(5, Emission("ok", {"by_how_much": 2})))
    assert (run.state, run.data) == ("done", {"n": 5, "seen": 7, "log": ["worked"], "problem": None})
    assert len(run.history) == 2, "the action's changes and its event's are one step"
    assert run.history[1].delta.to_json() == {"set": {"n": 5, "seen": 7}, "append": {"log": ["worked"]}}


@pytest.mark.parametrize(
    ("outcome", "kind", "why"),
    [
        (ValueError("no luck"), "ValueError", "no luck"),
        (ValueError(), "ValueError", "ValueError"),
        (set_n(99, ("ok", {"by_how_much": 1})), "DataInvalid", "n: 99 is greater than the maximum of 9"),
        (set_n(2, ("ok", {})), "PayloadInvalid", "by_how_much must be given"),
        (set_n(2, "undeclared_here"), "IllegalEvent", "event 'undeclared_here' is not allowed in state 'working'"),
        (set_n(2, "small"), "IllegalEvent", "because no guard held: data.n < 0"),
        (
            set_n(2, "no_such"),
            "IllegalEvent",
            "event 'no_such' is not allowed in state 'working' as what action 'work'",
        ),
        (set_n(2, "error"), "IllegalEvent", "allowed: ok, small, odd, listed"),
        (set_n(2, None), "IllegalEvent", "null names no event, and is not allowed in state 'working' as what action"),
        (set_n(2, {"event": "ok"}), "IllegalEvent", '{"event": "ok"} names no event, and is not allowed'),
        (DataInvalid(["from inside"]), "DataInvalid", "from inside"),
    ],
)
def test_what_an_action_does_wrong_is_an_error_event_and_its_changes_are_dropped(
    outcome: Any, kind: str, why: str
) -> None:
    run = worked(outcome)
    problem = run.data["problem"]
    assert (run.state, problem["type"], problem["at"], problem["n"]) == ("failed", kind, "working", 1)
    assert why in problem["why"]
    assert (run.data["n"], run.data["log"]) == (0, [])
    assert run.agent.error == {"type": kind, "message": problem["why"]}
    assert story(run.history)[1:] == ["event error working>failed"]


def test_a_list_that_an_action_made_something_else_is_a_data_error_even_if_the_transition_appends() -> None:
    def work(ctx: Context) -> str:
        ctx.data.log = "no list"
        return "listed"

    run = worked(work)
    assert run.data["problem"]["why"] == "the data is wrong: log is 'no list', and only a list can be appended to"


def test_a_very_long_message_is_cut() -> None:
    assert len(worked(ValueError("x" * 10_000)).data["problem"]["why"]) == 2_000


def test_a_guard_that_fails_on_an_action_s_event_parks_the_agent() -> None:
    run = worked("odd")
    assert (run.state, run.status, run.data["n"]) == ("working", Status.PARKED, 0)
    assert run.agent.error is not None
    assert run.agent.error["type"] == "ExpressionFailed"
    assert "1 / data.n > 0" in run.agent.error["message"]
    assert story(run.history)[1:] == ["parked odd working>working"]


BARE = flow("""
    data: {n: {type: integer, default: 0}}
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, on: {ok: done}}
      done: {final: true}
""")


def test_an_error_that_nothing_handles_parks_the_agent_with_what_happened() -> None:
    run = drive(BARE, actions={"work": [ValueError("no luck"), "ok"]})
    assert (run.status, run.agent.error) == (Status.PARKED, {"type": "ValueError", "message": "no luck"})
    assert (run.agent.allowed, run.agent.question) == (("cancel",), None)
    parked = run.history[-1]
    assert parked.reason == "ValueError: no luck"
    assert parked.payload == {"type": "ValueError", "message": "no luck", "attempt": 1, "state": "working"}
    assert run.unpark().state == "done"


def test_a_failing_error_transition_parks_the_agent() -> None:
    unlucky = flow("""
        data: {n: {type: integer, default: 0, maximum: 0}}
        events: {ok: {}}
        initial: working
        states:
          working: {do: work, on: {ok: done, error: {target: done, assign: {n: data.n + 1}}}}
          done: {final: true}
    """)
    run = drive(unlucky, actions={"work": [ValueError("x")]})
    assert (run.status, run.agent.error and run.agent.error["type"]) == (Status.PARKED, "DataInvalid")


def with_retry(retry: str, outcomes: list[Any], on: str = "error: failed") -> tuple[Drive, list[int]]:
    """An agent whose action has these outcomes, and the milliseconds at which each attempt began."""
    retrying = flow(f"""
        events: {{ok: {{}}}}
        initial: working
        states:
          working: {{do: work, retry: {{{retry}}}, on: {{ok: done, {on}}}}}
          done: {{final: true}}
          failed: {{final: true, outcome: failed}}
    """)
    script, began = iter(outcomes), []

    def work(ctx: Context) -> Any:
        began.append(ctx.now_ms - NEW_YEAR_MS)
        assert (ctx.attempt, ctx.activation) == (len(began), 1)
        return next(script)

    return drive(retrying, actions={"work": work}), began


def test_attempts_count_the_first_and_the_backoff_doubles_up_to_its_maximum() -> None:
    run, began = with_retry("attempts: 5, backoff: 1s, max: 3s", [ValueError("x")] * 4 + ["ok"])
    assert (run.state, began) == ("done", [0, 1_000, 3_000, 6_000, 9_000])
    assert run.agent.version == 2, "attempts leave the version alone"


def test_when_all_attempts_have_failed_the_error_says_which_it_was() -> None:
    run, began = with_retry("attempts: 3, backoff: 1s", [ValueError("x")] * 3)
    assert (run.state, began) == ("failed", [0, 1_000, 3_000])
    assert run.history[-1].payload["attempt"] == 3


@pytest.mark.parametrize(
    ("names", "error", "attempts"),
    [
        ("[ConnectionError]", ConnectionError("x"), 3),
        ("[ConnectionError]", ConnectionResetError("x"), 3),
        ("[ValueError, OSError]", ConnectionResetError("x"), 3),
        ("[Exception]", ValueError("x"), 3),
        ("[ConnectionError]", ValueError("x"), 1),
        ("[DataInvalid]", DataInvalid(["x"]), 1),
        ("[ActionMissing]", ActionMissing("x", []), 1),
    ],
)
def test_only_what_is_declared_is_retried_by_its_class_or_a_base_and_our_own_errors_never(
    names: str, error: Exception, attempts: int
) -> None:
    run, began = with_retry(f"attempts: 3, backoff: 1s, on: {names}", [error] * 3)
    assert (run.state, len(began)) == ("failed", attempts)


@pytest.mark.parametrize("outcome", ["no_such", None, set_n])
def test_an_event_that_an_action_may_not_name_is_never_retried(outcome: Any) -> None:
    _, began = with_retry("attempts: 3, backoff: 1s", [outcome] * 3)
    assert len(began) == 1


@pytest.mark.parametrize(
    ("handlers", "reached"),
    [
        ("timeout: late, error: failed", "late"),
        ("error: failed", "failed"),
        ("timeout: {target: late, when: event.attempt > 9}, error: failed", "failed"),
        ("timeout: null, error: failed", "failed"),
        ("timeout: null", "parked"),
    ],
)
def test_a_timeout_looks_for_timeout_in_the_whole_chain_then_for_error_then_parks(handlers: str, reached: str) -> None:
    nested = flow(f"""
        events: {{ok: {{}}}}
        initial: outer
        states:
          outer:
            initial: working
            on: {{{handlers.replace("timeout: null", "ok: failed") if "null" in handlers else handlers}}}
            states:
              working: {{do: work, timeout: 1s, on: {{ok: outer{", timeout: null" if "null" in handlers else ""}}}}}
          late: {{final: true}}
          failed: {{final: true, outcome: failed}}
    """)
    run = drive(nested, actions={"work": [TimeoutError("too long")]})
    assert reached == ("parked" if run.status is Status.PARKED else run.state)
    assert run.history[-1].event == "timeout"


def test_a_timeout_handled_further_out_comes_before_an_error_handled_nearer() -> None:
    nested = flow("""
        events: {ok: {}}
        initial: outer
        on: {timeout: late}
        states:
          outer:
            initial: working
            states: {working: {do: work, timeout: 1h, on: {ok: done, error: failed}}}
          late: {final: true}
          failed: {final: true, outcome: failed}
          done: {final: true}
    """)
    assert drive(nested, actions={"work": [TimeoutError()]}).state == "late"
    assert drive(nested, actions={"work": [ValueError()]}).state == "failed"


def test_with_is_evaluated_on_entry_data_and_a_failure_there_parks() -> None:
    arguments = flow("""
        data: {n: {type: integer, default: 0}}
        events: {go: {}, ok: {}}
        initial: idle
        states:
          idle: {on: {go: working}}
          working: {do: work, with: {share: 1 / data.n, fixed: [1]}, on: {ok: idle}}
    """)
    run = drive(arguments, actions={"work": ["ok"]}).send("go")
    assert (run.status, run.agent.error and run.agent.error["type"]) == (Status.PARKED, "ExpressionFailed")


def test_each_entry_is_an_activation_of_its_own_and_unparking_keeps_it() -> None:
    twice = flow("""
        events: {again: {}, ok: {}}
        initial: working
        states:
          working: {do: work, on: {again: working, ok: done}}
          done: {final: true}
    """)
    seen = []

    def work(ctx: Context) -> Any:
        seen.append((ctx.activation, ctx.attempt, ctx.visits["working"]))
        return ["again", ValueError("x"), "ok"][len(seen) - 1]

    run = drive(twice, actions={"work": work})
    assert run.status is Status.PARKED
    assert run.unpark().state == "done"
    assert seen == [(1, 1, 1), (2, 1, 2), (2, 1, 2)]


def test_unparking_begins_with_the_first_attempt_again() -> None:
    run, began = with_retry("attempts: 2, backoff: 1s", [ValueError("x")] * 3 + ["ok"], on="timeout: failed")
    assert (run.status, len(began)) == (Status.PARKED, 2)
    began.clear()
    assert (run.unpark().state, len(began)) == ("done", 2)
