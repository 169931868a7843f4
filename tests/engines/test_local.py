"""The engine within one process keeps the contract."""

from __future__ import annotations

import asyncio

import pytest

from fsm_agent import sync
from fsm_agent.engines import local, open_engine, serve_engine
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import EngineContract
from tests.support.runtime import Gate, flow, on_loop, until

WORK = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, on: {ok: resting}}
      resting: {after: {1s: done}}
      done: {final: true}
""")


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine_url(self) -> str:
        return "local://"


@on_loop
async def test_a_caller_in_another_thread_wakes_the_worker_of_this_loop() -> None:
    gate, stopped = Gate(), asyncio.Event()
    asyncio.get_running_loop().set_debug(enabled=True)  # it tells of calls that are not safe between threads
    engine, store = open_engine("local://shop"), MemoryStore()
    async with Runner(store, actions=[gate.as_action()]) as runner:
        serving = asyncio.create_task(serve_engine(engine, runner, at_once=1, stopped=stopped, drain_s=9))
        await until(lambda: len(local._SERVED) > 0)
        caller = sync.Runner(store, wakeups=open_engine("local://shop").wakeups())
        await asyncio.to_thread(caller.start, WORK, id="a", drive=False)
        await gate.begun.wait()
        stopped.set()
        gate.open("ok")
        await serving
        assert (await runner.get("a")).state == "resting"


@on_loop
async def test_another_name_is_another_engine_and_a_wake_up_without_a_worker_is_lost() -> None:
    async with Runner(MemoryStore(), wakeups=open_engine("local://elsewhere").wakeups()) as runner:
        assert (await runner.start(WORK, id="a", drive=False)).state == "working"
