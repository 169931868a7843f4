"""Which agents a worker takes: those of its workflows whose actions it has; the others are left to others."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.maintenance.inspection import inspect
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, on_loop

PAY: Final = loads("""
workflow: pay
version: 1
events: {ok: {}, note: {}}
initial: checking
states:
  checking: {do: check, on: {ok: paying}}
  paying: {do: pay, retry: {attempts: 3, backoff: 1s}, on: {ok: done}}
  done: {final: true}
""")
OTHER: Final = flow("""
    events: {ok: {}}
    initial: checking
    states: {checking: {do: check, on: {ok: done}}, done: {final: true}}
""")


@action(inline=True)
def check(ctx: Context) -> str:
    return "ok"


@action(inline=True)
def pay(ctx: Context) -> str:
    return "ok"


@on_loop
async def test_only_agents_of_the_named_workflows_are_taken() -> None:
    async with Runner(MemoryStore(clock=FakeClock()), actions=[check, pay]) as runner:
        await runner.start(PAY, id="p", drive=False)
        await runner.start(OTHER, id="o", drive=False)
        assert await Worker(runner, workflows=["pay", "unknown"]).run_once() == 1
        assert [(await runner.get(name)).status for name in "po"] == [Status.DONE, Status.RUNNING]
        assert (await runner.store.head("o")).epoch == 1
        with pytest.raises(ArgumentInvalid, match="workflows"):
            Worker(runner, workflows="pay")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_an_agent_whose_action_is_missing_here_is_left_to_a_worker_that_has_it(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    async with Runner(open_store(url, clock=clock), actions=[check]) as old:
        for name in ("a", "b"):
            await old.start(PAY, id=name, drive=False)
        worker = Worker(old)
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            assert await worker.run_once() == 2
            assert await worker.run_once() == 0, "it remembers what it lacks"
        told = [each for each in caplog.messages if "left to workers" in each]
        assert told == [
            "agents in state 'paying' of workflow 'pay' are left to workers that have its action: "
            "no action 'pay'; there are check"
        ]
        for name in ("a", "b"):
            head = await old.store.head(name)
            assert (head.state, head.status, head.attempts, head.lease) == ("paying", Status.RUNNING, 0, None)
            assert head.problem is not None
            assert head.problem[:2] == ("ActionMissing", "no worker has action 'pay'")
        listed = (await old.list()).agents
        assert [agent.retry and agent.retry.problem and agent.retry.problem.message for agent in listed] == [
            "no worker has action 'pay'"
        ] * 2
        defects = [str(defect) for defect in (await inspect(old.store)).defects]
        assert [each for each in defects if "no worker has action 'pay'" in each and "--module" in each] == defects
        assert len(defects) == 2
        assert await Worker(Runner(old.store, actions=[check, pay])).run_once() == 2
        assert [((await old.get(name)).status, (await old.store.head(name)).problem) for name in "ab"] == [
            (Status.DONE, None)
        ] * 2
        assert not (await inspect(old.store)).defects


@on_loop
async def test_whoever_names_an_agent_is_told_at_once_that_its_action_is_missing() -> None:
    async with Runner(MemoryStore(clock=FakeClock()), actions=[check]) as runner:
        await runner.start(PAY, id="a", drive=False)
        await Worker(runner).run_once()
        agent = await runner.resume("a")
        assert agent.status is Status.PARKED
        assert agent.error is not None
        assert agent.error["message"] == "no action 'pay'; there are check"


@on_loop
async def test_failed_attempts_of_others_still_count_where_an_action_is_missing() -> None:
    @action(name="pay", inline=True)
    def fail(ctx: Context) -> str:
        raise ValueError("declined")

    clock = FakeClock()
    async with Runner(MemoryStore(clock=clock), actions=[check, fail]) as runner:
        await runner.start(PAY, id="a", drive=False)
        await Worker(runner).run_once()
        clock.advance(seconds=1)
        await Worker(Runner(runner.store, actions=[check])).run_once()
        head = await runner.store.head("a")
        assert (head.attempts, head.problem and head.problem.type) == (1, "ActionMissing")
        await Worker(runner).run_once()
        assert (await runner.store.head("a")).attempts == 2


@on_loop
async def test_an_agent_that_a_worker_lacks_keeps_it_from_nothing_else() -> None:
    async with Runner(MemoryStore(clock=FakeClock()), actions=[check]) as runner:
        for number in range(20):
            await runner.start(PAY, id=f"p{number:02}", drive=False)
            await runner.start(OTHER, id=f"o{number:02}", drive=False)
        assert await Worker(runner, at_once=3).run_once() <= 40
        found = [(await runner.get(f"o{number:02}")).status for number in range(20)]
        assert found == [Status.DONE] * 20
