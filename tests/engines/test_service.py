"""An engine that fails does not end its worker: it is tried again, and said once."""

from __future__ import annotations

import asyncio

import pytest

from fsm_agent.engines import Advance, Engine, Wakeups, local, open_engine, serve_engine, service
from fsm_agent.errors import EngineUnavailable
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.memory.store import MemoryStore
from tests.support.runtime import Gate, flow, on_loop, until
from tests.support.wakeups import NotedWakeups

FLOW = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, on: {ok: again}}
      again: {do: work, on: {ok: done}}
      done: {final: true}
""")


class FailingEngine(Engine):
    """Fails some times, then advances agent ``a`` until it is stopped."""

    url = "failing://"

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def wakeups(self) -> Wakeups:
        return NotedWakeups()

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        if self.failures:
            self.failures -= 1
            raise EngineUnavailable(self.url, "it is away")
        await advance("a")
        await stopped.wait()


@on_loop
async def test_an_engine_that_is_away_is_tried_again_and_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_AGAIN_S", 0)
    gate, stopped = Gate(), asyncio.Event()
    async with Runner(MemoryStore(), actions=[gate.as_action()]) as runner:
        await runner.start(FLOW, id="a", drive=False)
        serving = asyncio.create_task(serve_engine(FailingEngine(3), runner, at_once=1, stopped=stopped))
        await gate.begun.wait()
        stopped.set()
        gate.open("ok")
        await serving
        told = [record.message for record in caplog.records if "failing://" in record.message]
        assert [line.partition(":")[0] for line in told] == ["engine failing"]
        assert "does not serve, and the sweep goes on" in told[0]


@on_loop
async def test_what_works_when_it_stops_ends_and_the_next_action_is_left_to_others() -> None:
    gate, stopped = Gate(), asyncio.Event()
    async with Runner(MemoryStore(), actions=[gate.as_action()]) as runner:
        await runner.start(FLOW, id="a", drive=False)
        serving = asyncio.create_task(serve_engine(FailingEngine(0), runner, at_once=1, stopped=stopped, drain_s=9))
        await gate.begun.wait()
        stopped.set()
        await asyncio.sleep(0)
        gate.open("ok")
        await serving
        head = await runner.store.head("a")
        assert (head.state, head.lease, gate.calls) == ("again", None, 1)


@on_loop
async def test_whoever_cancels_waits_for_nothing_that_works() -> None:
    gate, stopped, cancelled = Gate(), asyncio.Event(), asyncio.Event()
    async with Runner(MemoryStore(), actions=[gate.as_action()]) as runner:
        await runner.start(FLOW, id="a", drive=False)
        engine = open_engine("local://cancelled")
        serve = serve_engine(engine, runner, at_once=1, stopped=stopped, drain_s=3600, cancelled=cancelled)
        serving = asyncio.create_task(serve)
        await until(lambda: len(local._SERVED) > 0)
        await engine.wakeups().wake("a")
        await gate.begun.wait()
        stopped.set()
        cancelled.set()
        await serving
        assert (gate.was_cancelled, (await runner.store.head("a")).lease) == (True, None)
