"""``testing.drive``: a workflow under test, without a loop and without waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.errors import DataInvalid, IllegalEvent, NotAsked
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.testing import ScriptEnded, drive

FLOW = """
workflow: w
version: 1
data: {n: {type: integer, default: 0}, must: string}
events: {go: {}, ok: {n: integer}, yes: {}}
initial: idle
states:
  idle: {on: {go: working}}
  working:
    do: work
    with: {depth: 2}
    timeout: 1h
    retry: {attempts: 2, backoff: 1h}
    on: {ok: {target: asking, assign: {n: event.n}}, error: idle, timeout: done}
  asking: {ask: {prompt: "Is it {{ data.n }}?", events: [yes]}, after: {3d: idle}, on: {yes: done}}
  done: {final: true}
"""
DATA = {"must": "x"}
WORKFLOW = loads(FLOW)


def test_it_tells_the_story_of_the_seed_example(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(FLOW)
    run = drive(path, actions={"work": [("ok", {"n": 7})]}, data=DATA)
    assert (run.state, run.status, run.path) == ("idle", Status.WAITING, ["idle"])
    run.send("go")
    assert (run.prompt, run.data["n"]) == ("Is it 7?", 7)
    assert run.advance(days=3).state == "idle"
    assert run.path == ["idle", "working", "asking", "idle"]
    assert run.clock.ms == NEW_YEAR_MS + 3 * 86_400_000


def test_an_outcome_may_be_an_event_an_emission_an_error_or_a_function_that_gives_or_raises_one() -> None:
    given = []

    def called(ctx: Context, depth: int) -> object:
        given.append(depth)
        ctx.data.must = "changed"
        return ctx.emit("ok", n=depth)

    def raises(ctx: Context) -> str:
        raise ConnectionError

    async def waits(ctx: Context) -> object:
        return ctx.emit("ok", n=3)

    for outcome, state in ((called, "asking"), (waits, "asking"), (raises, "idle"), (TimeoutError(), "done")):
        run = drive(WORKFLOW, actions={"work": [outcome] * 2}, data=DATA).send("go")
        assert run.state == state
    assert given == [2]


def test_waiting_out_a_backoff_moves_the_clock() -> None:
    run = drive(WORKFLOW, actions={"work": [ValueError(), ("ok", {"n": 1})]}, data=DATA).send("go")
    assert (run.state, run.clock.ms - NEW_YEAR_MS) == ("asking", 3_600_000)


def test_a_script_that_has_ended_or_is_missing_fails_the_test_and_names_the_place() -> None:
    with pytest.raises(ScriptEnded, match="the script of action 'work' has ended, and 'working' calls it again"):
        drive(WORKFLOW, actions={"work": [ValueError()]}, data=DATA).send("go")
    with pytest.raises(ScriptEnded, match="state 'working' calls action 'work', for which there is no script"):
        drive(WORKFLOW, data=DATA).send("go")


def test_an_assertion_inside_a_scripted_function_fails_the_test() -> None:
    def checks(ctx: Context) -> str:
        assert ctx.attempt == 2
        return "ok"

    with pytest.raises(AssertionError):
        drive(WORKFLOW, actions={"work": checks}, data=DATA).send("go")


def test_what_is_refused_is_raised_and_the_run_shows_the_agent_as_it_is_then() -> None:
    with pytest.raises(DataInvalid):
        drive(WORKFLOW)
    run = drive(WORKFLOW, actions={"work": [("ok", {"n": 1})]}, data=DATA)
    with pytest.raises(IllegalEvent):
        run.send("yes")
    run.send("go")
    run.clock.advance(days=3)
    with pytest.raises(NotAsked):
        run.answer()
    assert run.state == "idle"
    assert run.cancel().status is Status.CANCELLED
    assert run.advance(days=9).status is Status.CANCELLED


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(1_000)
    assert (clock(), clock(), clock.advance(seconds=1.5), clock()) == (1_000, 1_000, 2_500, 2_500)
