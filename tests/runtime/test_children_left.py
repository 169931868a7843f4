"""Children of work that was left: they are cancelled, by whoever comes, and whatever died in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Runner, Status, Worker
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.state import Duration
from fsm_agent.runtime.maintenance.purge import purge
from tests.support.parent_workflow import SharedStore, all_heads, child_states, joined, parent_workflow
from tests.support.runtime import flow, on_loop

WAITING = ["asking waiting", "asking waiting"]
CANCELLED = ["asking cancelled", "asking cancelled"]


@pytest.fixture(params=["memory", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> SharedStore:
    return SharedStore("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}")


async def parent_of_two(runner: Runner, more: str = "", **given: Any) -> None:
    await runner.start(parent_workflow(more, **given), "go", data={"topics": ["ask a", "ask b"]}, id="p")
    assert await child_states(runner) == WAITING


LEAVING = {
    "by an event": lambda runner, drive: runner.send("p", "stop", drive=drive),
    "by being cancelled": lambda runner, drive: runner.cancel("p", drive=drive),
    "by a rewind": lambda runner, drive: runner.rewind("p", 1, drive=drive),
}


@pytest.mark.parametrize("way", LEAVING)
@on_loop
async def test_who_leaves_the_state_ends_its_children(shared: SharedStore, way: str) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner)
        await LEAVING[way](runner, True)
        assert (await child_states(runner), (await runner.store.head("p")).children) == (CANCELLED, 0)
        assert [(await runner.history(f"p.2.{n}"))[-1].by for n in (1, 2)] == ["p", "p"]
        assert await joined(runner) == 0


@pytest.mark.parametrize("way", LEAVING)
@on_loop
async def test_or_whoever_comes_after_one_that_only_left(every_url: str, way: str) -> None:
    """As after a crash between the parent's step and what belongs to it."""
    shared = SharedStore(every_url)
    async with shared.runner() as runner:
        await parent_of_two(runner)
        await LEAVING[way](runner, False)
        head = await runner.store.head("p")
        assert (await child_states(runner), head.children, head.wake_ms) == (WAITING, 2, 0)
    async with shared.runner() as runner:
        assert await runner.store.due(shared.clock.ms, 9) == ["p"]
        await Worker(runner).run_once()
        assert (await child_states(runner), (await runner.store.head("p")).children) == (CANCELLED, 0)
        assert await runner.store.due(shared.clock.ms, 9) == []
        assert await joined(runner) == 0


@on_loop
async def test_a_timer_ends_them(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner, patience="1d")
        shared.clock.advance(hours=12)
        assert "p" in await runner.store.due(shared.clock.ms, 9)
        await runner.resume("p")
        assert ((await runner.get("p")).state, await child_states(runner)) == ("resting", CANCELLED)


@on_loop
async def test_the_time_that_their_work_may_take_is_counted_from_its_beginning(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner, state="timeout: 2h")
        shared.clock.advance(hours=1.5)
        await runner.send("p", "note")
        await runner.resume("p")
        assert await child_states(runner) == WAITING
        assert (await runner.store.head("p")).wake_ms == shared.clock.ms + 1_800_000
        shared.clock.advance(hours=0.5)
        await Worker(runner).run_once()
        agent = await runner.get("p")
        assert agent.error == {"type": "TimeoutError", "message": "action 'workflow.run' took longer than 2h"}
        assert (agent.state, await child_states(runner)) == ("failed", CANCELLED)


@on_loop
async def test_an_operator_gives_that_time_anew(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner, state="timeout: 2h")
        await runner.fork("p", id="f")
        shared.clock.advance(hours=1.5)
        await runner.unpark("f")
        shared.clock.advance(hours=1.5)
        assert (await runner.resume("f")).status is Status.RUNNING
        shared.clock.advance(hours=0.5)
        assert (await runner.resume("f")).status is Status.FAILED


@on_loop
async def test_entering_the_state_anew_starts_others(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner)
        await runner.send("p", "again")
        assert (await child_states(runner), await child_states(runner, activation=3)) == (CANCELLED, WAITING)
        for number in (1, 2):
            await runner.answer(f"p.3.{number}", {"text": "x"})
        assert (await runner.get("p")).status is Status.DONE
        assert await joined(runner) == 1


@on_loop
async def test_so_does_an_agent_that_is_back_in_the_state(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner)
        back = await runner.rewind("p", 2)
        assert (back.agent.status, await child_states(runner)) == (Status.PARKED, CANCELLED)
        await runner.unpark("p")
        assert await child_states(runner, activation=3) == WAITING


@on_loop
async def test_children_of_a_parked_parent_go_on_and_are_joined_when_it_does(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner, rest="limits: {visits: {resting: 1}}")
        await runner.send("p", "stop")
        await runner.send("p", "go")
        assert (await runner.send("p", "stop")).status is Status.PARKED
        assert await child_states(runner, activation=4) == WAITING
        for number in (1, 2):
            await runner.answer(f"p.4.{number}", {"text": "x"})
        assert await runner.store.due(shared.clock.ms, 9) == []
        await runner.unpark("p", event="note")
        assert (await runner.get("p")).status is Status.DONE
        assert await joined(runner) == 1


@on_loop
async def test_a_child_that_was_made_while_its_parent_left_ends_itself(shared: SharedStore) -> None:
    """As after a crash of whoever made it: nobody cancels it, and it waits for nobody."""
    async with shared.runner() as runner:
        await parent_of_two(runner)
        before = [await runner.store.dump(f"p.2.{number}") for number in (1, 2)]
        await runner.cancel("p")
        for export in before:
            await runner.store.delete(await runner.store.head(export.head.id))
            await runner.store.adopt(export)
        agent = await runner.answer("p.2.1", {"text": "x"})
        assert (agent.status, agent.state) == (Status.DONE, "done"), "what was said stands"
        shared.clock.advance(days=1)
        await Worker(runner).run_once()
        assert await child_states(runner) == ["done done", "asking cancelled"]


STUBBORN = """
    events: {joined: {}}
    data: {kind: string}
    workflows:
      child:
        workflow: child
        version: 1
        data: {kind: string, topic: {type: string, default: x}, found: string?}
        events: {said: {}, found: {}}
        initial: asking
        states:
          asking:
            ask: {prompt: Well?, events: [said]}
            on:
              said: done
              cancel: {when: data.kind != "stubborn", target: clearing}
          clearing: {do: look, on: {found: done}}
          done: {final: true}
    initial: running
    states:
      running:
        do: workflow.run
        with: {workflow: child, data: {kind: data.kind}}
        on: {joined: done}
      done: {final: true}
"""


@pytest.mark.parametrize(("kind", "stands"), [("stubborn", "asking waiting"), ("orderly", "done done")])
@on_loop
async def test_a_child_is_cancelled_as_its_workflow_declares(shared: SharedStore, kind: str, stands: str) -> None:
    async with shared.runner() as runner:
        await runner.start(flow(STUBBORN), data={"kind": kind}, id="p")
        assert (await runner.cancel("p")).status is Status.CANCELLED
        assert await child_states(runner, activation=1) == [stands]
        assert (await runner.store.head("p")).children == 0
        if kind == "stubborn":
            await runner.answer("p.1.1")
            assert await child_states(runner, activation=1) == ["done done"]
            assert [step.kind for step in await runner.history("p.1.1")] == ["created", "event"]


EVERYTHING_ENDED = Retention(finished=Duration.parse("1h"), idle=Duration.parse("1h"))


@on_loop
async def test_no_child_is_forgotten_whose_parent_may_still_ask_for_it(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["a", "ask b"]}, id="p")
        shared.clock.advance(hours=2)
        assert (await purge(runner.store, EVERYTHING_ENDED)).deleted == []
        await runner.answer("p.2.2", {"text": "x"})
        shared.clock.advance(hours=2)
        assert sorted((await purge(runner.store, EVERYTHING_ENDED)).deleted) == ["p", "p.2.1", "p.2.2"]
        assert await all_heads(runner) == []


@on_loop
async def test_no_parent_is_forgotten_whose_children_are_to_be_cancelled(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await parent_of_two(runner)
        await runner.cancel("p", drive=False)
        shared.clock.advance(hours=2)
        assert (await purge(runner.store, EVERYTHING_ENDED)).deleted == []
        await Worker(runner).run_once()
        assert await child_states(runner) == CANCELLED


@on_loop
async def test_whoever_forgets_a_person_ends_the_children_too(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask a", "ask b"]}, id="p", user="ana")
        await runner.forget("ana")
        assert {head.status for head in await all_heads(runner)} == {Status.CANCELLED}
        assert {head.children for head in await all_heads(runner)} == {0}
        await Worker(runner).run_once()
        assert await joined(runner) == 0
