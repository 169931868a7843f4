"""Coroutines, threads and inline calls: how each kind of action is stopped, and what is left of it then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, on_loop, story

WORK = flow("""
    data: {notes: {type: array, items: {type: string}, default: []}, n: {type: integer, default: 0}}
    events: {ok: {}, stop: {}}
    initial: working
    states:
      working: {do: work, on: {ok: resting, stop: resting}}
      resting: {}
""")

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens an empty store of every kind that comes with us, on a clock that stands still."""
    # what must be told at once is not found out later
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 3_600_000)
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url, clock=FakeClock())


@on_loop
async def test_the_late_result_of_a_thread_is_discarded(opened: Opener) -> None:
    begun, go_on = threading.Event(), threading.Event()
    changed: list[Any] = []

    def work(ctx: Context) -> str:
        begun.set()
        go_on.wait(10)
        ctx.data.n = 3
        changed.append(ctx.data.n)
        return "ok"

    async with Runner(opened(), actions=[work]) as runner:
        started = asyncio.create_task(runner.start(WORK, id="a"))
        await asyncio.to_thread(begun.wait, 10)
        agent = await runner.send("a", "stop")
        go_on.set()
        assert (agent.state, (await started).state) == ("resting", "resting")
        while not changed:
            await asyncio.to_thread(threading.Event().wait, 0.001)
        assert (await runner.get("a")).data["n"] == 0
        assert story(await runner.history("a"))[1:] == ["event stop working>resting"]


@on_loop
async def test_an_inline_action_is_whole_before_anything_else_happens(opened: Opener) -> None:
    @action(inline=True)
    def work(ctx: Context) -> str:
        ctx.data.notes.append(threading.current_thread().name)
        return "ok"

    async with Runner(opened(), actions=[work]) as runner:
        agent = await runner.start(WORK, id="a")
        assert agent.data["notes"] == [threading.current_thread().name]


@on_loop
async def test_an_action_that_swallows_its_cancellation_changes_nothing_and_its_task_is_whole(opened: Opener) -> None:
    begun = asyncio.Event()

    async def work(ctx: Context) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ctx.data.n = 2
        return "ok"

    async with Runner(opened(), actions=[work]) as runner:
        started = asyncio.create_task(runner.start(WORK, id="a"))
        await begun.wait()
        await runner.send("a", "stop")
        assert (await started).data["n"] == 0
        assert started.cancelling() == 0
        assert story(await runner.history("a"))[1:] == ["event stop working>resting"]


@on_loop
async def test_an_action_whose_own_task_was_cancelled_has_failed_and_nobody_else_was_cancelled() -> None:
    async def work(ctx: Context) -> str:
        inner = asyncio.create_task(asyncio.Event().wait())
        inner.cancel()
        await inner
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(WORK, id="a")
        assert agent.error is not None
        assert agent.error.pop("place").startswith("tests/runtime/test_modes.py:")  # type: ignore[attr-defined]
        assert agent.error == {"type": "RuntimeError", "message": "what the action awaited was cancelled"}
