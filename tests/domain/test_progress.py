"""How far an agent has come, and what models have cost it: told from data and steps, and told again by a replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent import Context, action
from fsm_agent.domain.agent import Status
from fsm_agent.domain.conversation import ProgressRule
from fsm_agent.domain.json import Json
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import drive
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import flow, on_loop
from tests.support.user_workflows import impatient, retrying

ERRAND = """
    data:
      goal: string?
      done: {type: array, items: {type: string}, default: []}
      left: {type: array, items: {type: string}, default: [a, b, c]}
    events: {begin: {goal: string}, stepped: {}, rest: {}, finished: {}, note: {}}
    initial: idle
    states:
      idle: {on: {begin: {target: working, assign: {goal: event.goal}}, finished: done}}
      working:
        do: step
        on: {stepped: resting, rest: idle, error: failed}
      resting: {on: {stepped: working, finished: done, note: {append: {done: "'noted'"}}}}
      done: {final: true}
      failed: {final: true, outcome: failed}
"""
RULE = ProgressRule(goal="data.goal", done="data.done", remaining="size(data.left)", current="data.left[0]")
TASK = replace(flow(ERRAND), progress=RULE)


def step(ctx: Context) -> str:
    ctx.data.done.append(ctx.data.left.pop(0))
    return "stepped"


# --- progress


def test_progress_is_what_the_workflow_reads_from_the_data_after_each_step() -> None:
    run = drive(TASK, actions={"step": step})
    assert run.agent.progress == Progress(None, 0, 3, "a")
    run.send("begin", goal="groceries")
    assert run.agent.progress == Progress("groceries", 1, 2, "b")
    assert str(run.agent.progress) == "1 of 3: b"
    assert run.agent.to_json()["progress"] == {"goal": "groceries", "done": 1, "remaining": 2, "current": "b"}
    run.send("note")
    assert run.agent.progress == Progress("groceries", 2, 2, "b")
    run.send("stepped").send("stepped")
    assert run.agent.progress == Progress("groceries", 4, 0, None), "there is no step any more, and that is no error"
    assert run.head.progress == run.agent.progress


def test_who_declares_nothing_has_none() -> None:
    assert drive(flow(ERRAND)).agent.progress is None


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (ProgressRule(goal="'to try'"), Progress(goal="to try")),
        (ProgressRule(done="visits['idle']", remaining="2"), Progress(done=1, remaining=2)),
        (ProgressRule(done="1.0"), Progress(done=1)),
        (ProgressRule(done="'many'", remaining="data.goal"), Progress()),
        (ProgressRule(done="true"), Progress()),
        (ProgressRule(goal="data.left[7]", current="size(data.done)"), Progress(current="0")),
    ],
)
def test_what_cannot_be_told_is_left_out_and_stops_nobody(rule: ProgressRule, told: Progress) -> None:
    assert drive(replace(TASK, progress=rule)).agent.progress == told


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), ""),
        (Progress(done=3), "3 done"),
        (Progress(done=3, remaining=2), "3 of 5"),
        (Progress(done=3, remaining=2, current="book the hotel"), "3 of 5: book the hotel"),
        (Progress(current="book"), "book"),
    ],
)
def test_progress_in_one_line(progress: Progress, text: str) -> None:
    assert str(progress) == text


@action(name="step")
async def step_soon(ctx: Context) -> str:
    ctx.outputs.spend(Usage(requests=1, input_tokens=100, output_tokens=10, cost_micros=7, context_tokens=110))
    return step(ctx)


async def check_whole(runner: Runner) -> None:
    for head in (await runner.store.list()).heads:
        assert (await runner.replay(head.id)).mismatches == []


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_progress_and_usage_go_through_history_replay_rewind_and_fork(kind: str, tmp_path: Path) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'a.db'}"
    async with Runner(open_store(url), actions=[step_soon]) as runner:
        await runner.start(TASK, "begin", {"goal": "shop"}, id="a")
        await runner.send("a", "stepped")
        agent = await runner.get("a")
        assert agent.progress == Progress("shop", 2, 1, "c")
        assert agent.usage == Usage(2, 200, 20, 14, context_tokens=110)
        past = await runner.get("a", at=3)
        assert (past.progress, past.usage.requests) == (Progress("shop", 1, 2, "b"), 1)
        back = (await runner.rewind("a", 3)).agent
        assert (back.progress, back.usage.requests) == (past.progress, 2), "what was paid stays paid"
        branch = await runner.fork("a", 1, id="b")
        assert (branch.progress, branch.usage) == (Progress(None, 0, 3, "a"), NO_USAGE)
        await check_whole(runner)
        await runner.purge(Retention(history=1))
        await check_whole(runner)
        assert (await runner.get("a")).progress == past.progress
        assert [head.progress for head in (await runner.store.list()).heads] == [back.progress, branch.progress]


@on_loop
async def test_a_newer_definition_tells_progress_in_its_own_way() -> None:
    renamed = ERRAND.replace("left:", "ahead:")
    later = replace(
        flow(renamed),
        version=2,
        progress=ProgressRule(goal="'now: ' + data.goal", remaining="data.ahead"),
        migrations=(Migration(1, rename={"left": "ahead"}),),
    )
    async with Runner(open_store("memory://"), actions=[step_soon]) as runner:
        await runner.start(TASK, "begin", {"goal": "shop"}, id="a")
        outcomes = (await runner.migrate(later, ["a"], apply=True)).outcomes
        assert [str(outcome.verdict) for outcome in outcomes] == ["moved"], outcomes
        assert (await runner.get("a")).progress == Progress("now: shop", None, 2, None)
        await check_whole(runner)
        assert (await runner.get("a", at=3)).progress == Progress("shop", 1, 2, "b")


@on_loop
async def test_a_question_of_an_action_tells_progress_too() -> None:
    @action(name="step")
    async def ask(ctx: Context) -> Any:
        step(ctx)
        return ctx.ask("Go on?", ["stepped"])

    async with Runner(open_store("memory://"), actions=[ask]) as runner:
        agent = await runner.start(TASK, "begin", {"goal": "shop"}, id="a")
        assert agent.progress == Progress("shop", 1, 2, "b")
        await check_whole(runner)


# --- usage

COSTS = st.builds(
    Usage,
    st.integers(1, 10**6),
    *(st.integers(0, 10**6) for _ in range(5)),
    context_tokens=st.integers(0, 9),
    estimated_tokens=st.just(0),
)


@given(st.lists(COSTS, max_size=6))
def test_sums_add_up_in_any_grouping_and_the_context_is_that_of_the_last_request(costs: list[Usage]) -> None:
    total = NO_USAGE
    for cost in costs:
        total = total.plus(cost)
    right = NO_USAGE
    for cost in reversed(costs):
        right = cost.plus(right)
    assert total == right
    assert total.tokens == sum(cost.tokens for cost in costs)
    contexts = [cost.context_tokens for cost in costs if cost.context_tokens]
    assert total.context_tokens == (contexts[-1] if contexts else 0)


@example_settings(30)
@given(st.lists(COSTS, min_size=1, max_size=5))
def test_what_steps_cost_adds_up_to_what_the_agent_has_cost(costs: list[Usage]) -> None:
    spent = iter(costs)

    def spend(ctx: Context) -> str:
        ctx.outputs.spend(next(spent))
        return "rest"

    run = drive(TASK, actions={"step": spend})
    for _ in costs:
        run.send("begin", goal="x")
    total = NO_USAGE
    for cost in costs:
        total = total.plus(cost)
    assert run.agent.usage == total
    assert [each.usage for each in run.history if each.event == "rest"] == costs
    assert run.agent.context_tokens == total.context_tokens


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(ValueError("no"), Status.FAILED), ("gone", Status.FAILED), (("stepped", {"odd": 1}), Status.FAILED)],
)
def test_an_attempt_that_failed_has_cost_what_it_has_cost(outcome: Any, status: Status) -> None:
    def spend(ctx: Context) -> Any:
        ctx.outputs.spend(Usage(requests=1, input_tokens=5))
        if isinstance(outcome, Exception):
            raise outcome
        return ctx.emit(outcome[0], **outcome[1]) if isinstance(outcome, tuple) else outcome

    run = drive(TASK, actions={"step": spend}).send("begin", goal="x")
    assert (run.status, run.agent.usage, run.history[-1].usage.requests) == (status, Usage(1, 5), 1)


def test_an_attempt_that_parks_the_agent_has_its_cost_on_that_step() -> None:
    def spend(ctx: Context) -> str:
        ctx.outputs.spend(Usage(requests=1))
        return "stepped"

    run = drive(replace(TASK, limits=TASK.limits._replace(steps=2)), actions={"step": spend}).send("begin", goal="x")
    assert (run.status, run.agent.usage.requests, run.history[-1].kind) == (Status.PARKED, 1, "parked")


def test_a_step_says_what_it_cost_and_which_messages_it_added() -> None:
    def spend(ctx: Context) -> str:
        ctx.outputs.spend(Usage(requests=1, input_tokens=5, output_tokens=2, cost_micros=1_500_000, refused=1))
        return "stepped"

    run = drive(TASK, actions={"step": spend}).send("begin", goal="x")
    row: Mapping[str, Json] = run.history[-1].to_json()
    assert row["usage"] == {
        "requests": 1, "input_tokens": 5, "output_tokens": 2, "cost": 1.5, "latency_ms": 0, "refused": 1,
    }  # fmt: skip
    assert row["messages"] == 0
    assert run.history[0].to_json()["usage"] is None


def test_of_a_retried_action_the_attempt_that_ends_it_counts() -> None:
    """What an attempt was told is in its journal, so that the next attempt spends it again: it is not counted twice."""

    def spend(ctx: Context) -> str:
        ctx.outputs.spend(Usage(requests=1))
        if ctx.attempt == 1:
            raise ConnectionError("no line")
        return "learned"

    run = drive(impatient(retry=retrying(2)), user="ana", actions={"learn": spend}).send("go")
    assert run.agent.usage == Usage(1)


def test_the_head_of_a_workflow_with_progress_is_the_same_from_json() -> None:
    assert Workflow.from_json(TASK.to_json()).progress == RULE
    assert TASK.hash != flow(ERRAND).hash
