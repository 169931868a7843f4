"""Attempts with real actions: time, retries, resuming, and what an action is given."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.actions.registry import Actions
from fsm_agent.domain.agent import Agent, Head, Status
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ModelRateLimited, ModelRefused, ModelReplyInvalid
from fsm_agent.runtime.action_executor import ActionExecutor
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, flow, on_loop, story


def working(*keys: str) -> Workflow:
    """A workflow of one state that works; ``keys`` say more of it."""
    return flow(f"""
        data: {{n: {{type: integer, default: 0}}, problem: string?}}
        events: {{ok: {{}}}}
        initial: outer
        on:
          ok: done
          error: {{target: failed, assign: {{problem: event.type}}}}
          timeout: {{target: late, assign: {{problem: event.message}}}}
        states:
          outer:
            initial: working
            states:
              working: {{{", ".join(["do: work", *keys])}}}
          done: {{final: true}}
          failed: {{final: true, outcome: failed}}
          late: {{final: true, outcome: failed}}
    """)


async def run(workflow: Workflow, work: Any, **known: Any) -> Agent:
    async with Runner(open_store("memory://"), actions=[action(name="work", **known)(work)]) as runner:
        return await runner.start(workflow)


async def hang(ctx: Context) -> str:
    await asyncio.Event().wait()
    return "ok"


@on_loop
async def test_an_attempt_that_takes_too_long_is_stopped_and_is_a_timeout() -> None:
    agent = await run(working("timeout: 1ms"), hang)
    assert (agent.state, agent.data["problem"]) == ("late", "action 'work' took longer than 1 ms")


@on_loop
async def test_a_thread_that_takes_too_long_is_left_to_itself() -> None:
    go_on = threading.Event()

    def wait(ctx: Context) -> str:
        go_on.wait(10)
        return "ok"

    agent = await run(working("timeout: 1ms"), wait)
    go_on.set()
    assert agent.state == "late"


@pytest.mark.parametrize("name", ["TimeoutError", "OSError", "Exception"])
@on_loop
async def test_each_attempt_has_its_own_time_and_a_timeout_is_retried_like_any_error(name: str) -> None:
    attempts = []

    async def work(ctx: Context) -> str:
        attempts.append(ctx.attempt)
        return await hang(ctx) if ctx.attempt < 3 else "ok"

    retry = f"retry: {{attempts: 3, backoff: 1ms, on: [{name}]}}"
    agent = await run(working("timeout: 1ms", retry), work)
    assert (agent.state, attempts) == ("done", [1, 2, 3])


@on_loop
async def test_a_timeout_of_the_action_s_own_is_an_error() -> None:
    async def work(ctx: Context) -> str:
        async with asyncio.timeout(0):
            return await hang(ctx)

    agent = await run(working("timeout: 1h"), work)
    assert (agent.state, agent.data["problem"]) == ("failed", "TimeoutError")


@on_loop
async def test_a_timer_that_leaves_the_state_bounds_the_action_whatever_its_timeout() -> None:
    agent = await run(working("timeout: 1h", "after: {1ms: done}"), hang)
    assert agent.state == "done"


class TellingHands(ActionExecutor):
    """Hands that say when they begin to wait."""

    def __init__(self, store: Store, actions: Actions) -> None:
        super().__init__(store, actions)
        self.waits = asyncio.Event()

    async def sleep(self, head: Head, until_ms: int) -> int:
        self.waits.set()
        return await super().sleep(head, until_ms)


@on_loop
async def test_a_timer_that_leaves_the_state_is_no_timeout_even_when_the_clocks_differ() -> None:
    """The loop's clock says that the timer is due before the store's clock does."""
    clock = FakeClock()
    store = open_store("memory://", clock=clock)
    executor = TellingHands(store, Actions([action(name="work")(hang)]))
    async with Runner(store, executor=executor) as runner:
        started = asyncio.create_task(runner.start(working("after: {1ms: done}"), id="a"))
        await executor.waits.wait()
        clock.advance(milliseconds=1)
        assert (await started).state == "done"
        assert story(await runner.history("a"))[1:] == ["event after outer.working>done"]


def stop(ctx: Context) -> str:
    return next(iter(()))


async def wrapped(ctx: Context) -> str:
    return "ok"


@pytest.mark.parametrize("known", [{}, {"inline": True}])
@on_loop
async def test_a_plain_action_that_stops_an_iteration_has_failed(known: dict[str, Any]) -> None:
    agent = await run(working(), stop, **known)
    assert (agent.state, agent.data["problem"]) == ("failed", "RuntimeError")


@pytest.mark.parametrize("known", [{}, {"inline": True}])
@on_loop
async def test_a_plain_function_around_a_coroutine_is_awaited(known: dict[str, Any]) -> None:
    def plain(ctx: Context) -> Any:
        return wrapped(ctx)

    assert (await run(working(), plain, **known)).state == "done"


@on_loop
async def test_arguments_that_do_not_fit_are_an_error_of_the_action() -> None:
    agent = await run(working("with: {surprise: 1}"), wrapped)
    assert (agent.state, agent.data["problem"]) == ("failed", "TypeError")


@on_loop
async def test_an_action_is_given_the_agent_as_it_stands_and_its_arguments() -> None:
    given: dict[str, Any] = {}

    async def work(ctx: Context, **arguments: Any) -> str:
        given.update(arguments, ctx=ctx, data=dict(ctx.data))
        return "ok"

    agent = await run(working("""with: {depth: 2, half: data.n * 2, often: "visits['outer.working']"}"""), work)
    ctx = given.pop("ctx")
    assert given == {"depth": 2, "half": 0, "often": 1, "data": {"n": 0, "problem": None}}
    assert (ctx.agent_id, ctx.state, ctx.attempt, ctx.activation) == (agent.id, "outer.working", 1, 1)
    assert ctx.now.tzinfo is UTC


@on_loop
async def test_an_action_that_is_missing_parks_the_agent_until_it_is_there() -> None:
    store = open_store("memory://")
    async with Runner(store, actions=[action(name="wrok")(hang)]) as runner:
        agent = await runner.start(working(), id="a")
        assert agent.error == {
            "type": "ActionMissing",
            "message": "no action 'work' (did you mean `wrok`?); there are wrok",
        }
        assert agent.status is Status.PARKED
        assert (await Runner(store, actions=[action(name="work")(wrapped)]).unpark("a")).state == "done"


@on_loop
async def test_an_agent_left_in_a_backoff_is_resumed_with_the_attempt_that_is_next_when_it_is_due() -> None:
    clock = FakeClock()
    store, attempts = open_store("memory://", clock=clock), []

    @action(name="work", inline=True)
    def work(ctx: Context) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ConnectionError
        return "ok"

    async with Runner(store, actions=[work]) as runner:
        await runner.start(working("retry: {attempts: 3, backoff: 10s}"), id="a", drive=False)
        for seconds, expected in ((0, [1]), (9, [1]), (1, [1, 2]), (19, [1, 2]), (1, [1, 2, 3])):
            clock.advance(seconds=seconds)
            agent = await Runner(store, actions=[work]).resume("a", stay=False)
            assert attempts == expected
        assert (agent.state, agent.version) == ("done", 2)


@on_loop
async def test_a_backoff_is_waited_for_and_an_event_ends_it() -> None:
    waiting = asyncio.Event()

    def observe(head: Head) -> None:
        if head.retry_ms is not None:
            waiting.set()

    async def fail(ctx: Context) -> str:
        raise ConnectionError

    store = open_store("memory://", clock=FakeClock())
    async with Runner(store, actions=[action(name="work")(fail)], observe=observe) as runner:
        started = asyncio.create_task(runner.start(working("retry: {attempts: 3, backoff: 1h}"), id="a"))
        await waiting.wait()
        head = await store.head("a")
        assert (head.attempts, head.status, head.version) == (1, Status.RUNNING, 1)
        assert (await runner.cancel("a")).status is Status.CANCELLED
        assert (await started).status is Status.CANCELLED


@on_loop
async def test_changes_of_a_failed_attempt_are_not_seen_by_the_next() -> None:
    seen = []

    async def work(ctx: Context) -> str:
        seen.append(ctx.data.n)
        ctx.data.n = 7
        if ctx.attempt == 1:
            raise ConnectionError
        return "ok"

    agent = await run(working("retry: {attempts: 2, backoff: 1ms}"), work)
    assert (seen, agent.data["n"]) == ([0, 0], 7)


@on_loop
async def test_how_long_an_action_worked_stands_in_the_history() -> None:
    gate = Gate()
    async with Runner(open_store("memory://"), actions=[gate.as_action()]) as runner:
        started = asyncio.create_task(runner.start(working(), id="a"))
        await gate.begun.wait()
        gate.open("ok")
        await started
        created, ended = await runner.history("a")
        assert created.duration_ms is None
        assert (ended.duration_ms or 0) >= 0


@pytest.mark.long
@on_loop
async def test_an_error_of_ours_is_retried_only_if_a_repetition_can_mend_it() -> None:
    refusals: list[Exception] = [ModelRateLimited("m", 2), ModelReplyInvalid("m", "it is empty")]

    async def work(ctx: Context) -> str:
        if refusals:
            raise refusals.pop(0)
        return "ok"

    retried = working("retry: {attempts: 3, backoff: 1ms, on: [ModelRateLimited, ModelReplyInvalid]}")
    assert (await run(retried, work)).state == "done"
    refusals += [ModelRefused("m", "no"), ModelRateLimited("m")]
    agent = await run(working("retry: {attempts: 3, backoff: 1ms}"), work)
    assert (agent.state, agent.data["problem"], len(refusals)) == ("failed", "ModelRefused", 1)
