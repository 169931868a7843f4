"""Actions that break out: what they raise or do to their own task fails the attempt, like any other error."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import BlockingContext, Context
from fsm_agent.concurrency.cancellation import Watched
from fsm_agent.domain.agent import Status
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock, drive
from tests.support.runtime import flow, on_loop, story

WORK = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, retry: {attempts: 2, backoff: 1s}, on: {ok: done, error: failed}}
      done: {final: true}
      failed: {final: true, outcome: failed}
""")
HEALTHY = flow("""
    events: {ok: {}}
    initial: working
    states: {working: {do: health, on: {ok: done}}, done: {final: true}}
""")


class Panic(BaseException):
    """As extensions written in Rust raise it."""


def _cancel_self() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def _leaks(ctx: Context) -> str:
    _cancel_self()
    return "ok"


async def _leaks_and_waits(ctx: Context) -> str:
    _cancel_self()
    await asyncio.sleep(0)
    return "ok"


async def _leaks_and_goes_on(ctx: Context) -> str:
    _cancel_self()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "ok"


async def _leaks_within_a_timeout(ctx: Context) -> str:
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
        _cancel_self()
        await asyncio.sleep(0)
    return "ok"


async def _leaks_and_raises(ctx: Context) -> str:
    _cancel_self()
    raise Panic("it panics")


def _raising(error: BaseException) -> Callable[[Context], Any]:
    async def work(ctx: Context) -> str:
        await asyncio.sleep(0)
        raise error

    return work


def _raising_in_a_thread(error: BaseException) -> Callable[[BlockingContext], Any]:
    def work(ctx: BlockingContext) -> str:
        raise error

    return work


def _raising_in_an_effect(error: BaseException) -> Callable[[Context], Any]:
    async def effect() -> None:
        raise error

    async def work(ctx: Context) -> str:
        await ctx.effect("pay", effect)
        return "ok"

    return work


def _raising_in_an_effect_of_a_thread(error: BaseException) -> Callable[[BlockingContext], Any]:
    async def effect() -> None:
        raise error

    def work(ctx: BlockingContext) -> str:
        ctx.effect("pay", effect)
        return "ok"

    return work


UNRULY: dict[str, tuple[Callable[..., Any], str, str]] = {
    "a panic": (_raising(Panic("it panics")), "Panic", "it panics"),
    "a panic in a thread": (_raising_in_a_thread(Panic("it panics")), "Panic", "it panics"),
    "a panic in an effect": (_raising_in_an_effect(Panic("it panics")), "Panic", "it panics"),
    "a panic in an effect of a thread": (_raising_in_an_effect_of_a_thread(Panic("it panics")), "Panic", "it panics"),
    "nothing but the base": (_raising(BaseException("bare")), "BaseException", "bare"),
    "an exit": (_raising(SystemExit(3)), "RuntimeError", "action 'work' told the process to exit with 3"),
    "an exit in a thread": (_raising_in_a_thread(SystemExit(3)), "RuntimeError", "told the process to exit with 3"),
    "an exit in an effect of a thread": (
        _raising_in_an_effect_of_a_thread(SystemExit(3)),
        "RuntimeError",
        "told to exit with 3",
    ),
    "the end of a generator": (_raising(GeneratorExit()), "RuntimeError", "action 'work' raised GeneratorExit"),
    "that of one in a thread": (_raising_in_a_thread(GeneratorExit()), "RuntimeError", "raised GeneratorExit"),
    "the end of an iterator": (_raising(StopIteration()), "RuntimeError", "raised StopIteration"),
    "that of one which a thread has": (_raising_in_a_thread(StopIteration()), "RuntimeError", "raised StopIteration"),
    "a cancellation that nobody asked for": (_raising(asyncio.CancelledError()), "RuntimeError", "was cancelled"),
    "its own task cancelled": (_leaks, "RuntimeError", "action 'work' cancelled its own task"),
    "and then it waits": (_leaks_and_waits, "RuntimeError", "action 'work' cancelled its own task"),
    "and then it goes on": (_leaks_and_goes_on, "RuntimeError", "action 'work' cancelled its own task"),
    "and that within a timeout": (_leaks_within_a_timeout, "RuntimeError", "action 'work' cancelled its own task"),
    "and then it panics": (_leaks_and_raises, "Panic", "it panics"),
}


@pytest.mark.parametrize(("function", "kind", "said"), UNRULY.values(), ids=UNRULY)
@on_loop
async def test_it_is_a_failed_attempt_like_any_other(function: Callable[..., Any], kind: str, said: str) -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[action(name="work")(function)]) as runner:
        await runner.start(WORK, id="a", drive=False)
        worker = Worker(runner)
        assert await worker.run_once() == 1
        assert (await runner.store.head("a"))[-3:] == (2, None, 0)  # claimed once, given up
        assert (await runner.store.head("a")).attempts == 1
        clock.advance(seconds=1)
        await worker.run_once()
        agent = await runner.get("a")
        assert agent.error is not None
        assert (agent.status, agent.error["type"]) == (Status.FAILED, kind)
        assert said in agent.error["message"]
        assert agent.error["place"].startswith("tests/actions/test_action_exceptions.py:")
        assert story(await runner.history("a"))[-1] == "event error working>failed"


async def _leaks_and_waits_long(ctx: Context) -> str:
    _cancel_self()
    await asyncio.sleep(1)
    return "ok"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_leaks, "action 'work' cancelled its own task"),
        (_leaks_and_waits, "action 'work' cancelled its own task"),
        (_leaks_and_waits_long, "action 'work' cancelled its own task"),
        (_leaks_and_raises, "it panics"),
        (_raising(asyncio.CancelledError()), "what the action awaited was cancelled"),
        (_raising(GeneratorExit()), "action 'work' raised GeneratorExit"),
    ],
)
def test_in_a_driven_test_it_fails_with_the_same_words(function: Callable[..., Any], said: str) -> None:
    run = drive(WORK, actions={"work": action(name="work")(function)}).advance(seconds=1)
    assert run.agent.error is not None
    assert (run.status, run.agent.error["message"]) == (Status.FAILED, said)
    assert run.agent.error["place"].startswith("tests/actions/test_action_exceptions.py:")
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.current_task()


@pytest.mark.parametrize("function", [_leaks, _raising(Panic("it panics"))], ids=["leaks", "panics"])
@on_loop
async def test_the_others_of_the_sweep_are_driven(function: Callable[..., Any]) -> None:
    @action(name="health")
    async def health(ctx: Context) -> str:
        await asyncio.sleep(0)
        return "ok"

    async with Runner(open_store("memory://"), actions=[action(name="work")(function), health]) as runner:
        await runner.start(WORK, id="a", drive=False)
        for name in ("b", "c"):
            await runner.start(HEALTHY, id=name, drive=False)
        assert await Worker(runner).run_once() == 3
        assert [(await runner.get(name)).status for name in ("b", "c")] == [Status.DONE, Status.DONE]


@on_loop
async def test_what_breaks_out_elsewhere_is_logged_with_the_agent_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def observe(head: Any) -> None:
        if head.id == "bad":
            raise Panic("it panics")

    async with Runner(open_store("memory://"), actions=[action(name="health")(_fine)], observe=observe) as runner:
        await Runner(runner.store).start(HEALTHY, id="bad", drive=False)
        await runner.start(HEALTHY, id="good", drive=False)
        with caplog.at_level(logging.ERROR, "fsm_agent"):
            assert await Worker(runner).run_once() == 2
        assert (await runner.get("good")).status is Status.DONE
        assert "agent bad could not be driven" in caplog.text
        assert "Panic: it panics" in caplog.text


async def _fine(ctx: Context) -> str:
    await asyncio.sleep(0)
    return "ok"


@on_loop
async def test_a_cancellation_from_outside_is_none_though_the_action_has_cancelled_itself() -> None:
    begun = asyncio.Event()

    @action(name="work")
    async def work(ctx: Context) -> str:
        _cancel_self()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
        begun.set()
        await asyncio.Event().wait()
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await begun.wait()
        driven.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driven
        head = await runner.store.head("a")
        assert (head.lease, head.attempts) == (None, 0)


@on_loop
async def test_ctrl_c_in_an_action_is_none() -> None:
    async with Runner(open_store("memory://"), actions=[action(name="work")(_raising(KeyboardInterrupt()))]) as runner:
        flow_of_it = runner.start(WORK, id="a")
        with pytest.raises(KeyboardInterrupt):
            await flow_of_it
        assert (await runner.store.head("a")).attempts == 0


@on_loop
async def test_a_coroutine_that_is_closed_ends() -> None:
    async with Runner(open_store("memory://"), actions=[action(name="work")(_waits_for_ever)]) as runner:
        work = runner.start(WORK, id="a")
        task = asyncio.create_task(_stepped(work))
        await task
        work.close()
        assert (await runner.store.head("a")).attempts == 0


async def _waits_for_ever(ctx: Context) -> str:
    await asyncio.Event().wait()
    return "ok"


async def _stepped(work: Any) -> None:
    """Step a coroutine until it waits for something that never comes."""
    while work.send(None) is None:
        pass


@on_loop
async def test_what_other_tasks_do_to_a_task_is_not_its_own() -> None:
    begun = asyncio.Event()
    told: list[int] = []

    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def whole() -> None:
        task = asyncio.current_task()
        assert task is not None
        waiting = waits()
        work = Watched(waiting, waiting.send(None), task, task.cancelling())
        try:
            await work
        finally:
            told.append(work.own)

    task = asyncio.create_task(whole())
    await begun.wait()
    task.cancel()
    assert await asyncio.gather(task, return_exceptions=True) != []
    assert (told, task.cancelled()) == ([0], True)


@pytest.mark.parametrize("is_first", [True, False], ids=["before it waits", "after it has waited"])
def test_ctrl_c_while_the_code_of_an_action_runs_is_not_the_action_s_own_doing(is_first: bool) -> None:
    @action(name="work")
    async def pressed(ctx: Context) -> str:
        if not is_first:
            await asyncio.sleep(0)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        return "ok"

    async def live() -> None:
        async with Runner(store, actions=[pressed]) as runner:
            await runner.start(WORK, id="a")

    store = open_store("memory://")
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(live())
    head = asyncio.run(store.head("a"))
    assert (head.status, head.attempts, head.problem) == (Status.RUNNING, 0, None)
