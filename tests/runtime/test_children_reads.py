"""What a large family costs: each child is read a few times, however many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from fsm_agent import Context, Runner, Status, Worker, action
from fsm_agent.domain.agent import Head
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.memory.store import MemoryStore
from tests.support.runtime import flow, on_loop


class Counting(MemoryStore):
    """Counts how many heads are read."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        super().__init__(clock=self.clock)
        self.reads = 0

    async def head(self, agent_id: str) -> Head:
        self.reads += 1
        return await super().head(agent_id)


FAMILY = """
    data: {{many: {{type: array, default: []}}, results: {{type: array, default: []}}}}
    events: {{joined: {{}}}}
    workflows:
      child:
        workflow: child
        version: 1
        data: {{n: integer}}
        events: {{found: {{}}, over: {{}}, said: {{}}}}
        initial: a
        states:
          a: {{{child}, on: {{found: b, over: b, said: b}}}}
          b: {{final: true, output: {{n: data.n}}}}
    initial: joining
    states:
      joining:
        do: workflow.run
        with: {{workflow: child, for_each: data.many, data: {{n: item}}, into: results, {more}}}
        on: {{joined: done, error: failed}}
      done: {{final: true, output: {{results: data.results}}}}
      failed: {{final: true, outcome: failed}}
"""

Ending: TypeAlias = Callable[[Runner, Counting, int], Awaitable[Any]]


@action
async def stumble(ctx: Context) -> str:
    """Works at the second attempt, as a child that others drive then."""
    if ctx.attempt == 1:
        raise ConnectionError
    return "found"


async def in_order(runner: Runner, _: Counting, count: int) -> None:
    for number in range(1, count + 1):
        await runner.answer(f"p.1.{number}")


async def backwards(runner: Runner, _: Counting, count: int) -> None:
    for number in range(count, 0, -1):
        await runner.answer(f"p.1.{number}")


async def as_time_passes(runner: Runner, store: Counting, _: int) -> None:
    worker = Worker(runner)
    while (await runner.get("p")).status is Status.RUNNING:
        store.clock.advance(minutes=1)
        await worker.run_once()


QUESTION = "ask: {prompt: Well?, events: [said]}"
REST = "do: wait, with: {until: 'data.n * 60000 + 1767225600000', emit: over}"
WORK = "do: stumble, retry: {attempts: 2, backoff: 30s}"

FAMILIES: dict[str, tuple[str, str, Ending]] = {
    "answered one after the other": (QUESTION, "emit: joined", in_order),
    "answered from the last to the first": (QUESTION, "emit: joined", backwards),
    "answered, and few at once": (QUESTION, "emit: joined, at_once: 3", in_order),
    "going on by the clock": (REST, "emit: joined", as_time_passes),
    "going on by the clock, few at once": (REST, "emit: joined, at_once: 3", as_time_passes),
    "backing off": (WORK, "emit: joined, at_once: 1000", as_time_passes),
    "backing off, few at once": (WORK, "emit: joined, at_once: 3", as_time_passes),
}


async def reads_of(child: str, more: str, ending: Ending, count: int) -> int:
    store = Counting()
    async with Runner(store, actions=[stumble]) as runner:
        workflow, data = parent_of(count, child, more)
        await runner.start(workflow, id="p", drive=False, data=data)
        await Worker(runner).run_once()
        await ending(runner, store, count)
        agent = await runner.get("p")
        assert [each["n"] for each in agent.output["results"]] == data["many"]
    return store.reads


def parent_of(count: int, child: str, more: str) -> tuple[Workflow, dict[str, Any]]:
    return flow(FAMILY.format(child=child, more=more)), {"many": list(range(1, count + 1))}


@on_loop
async def test_a_child_that_lets_time_pass_takes_no_place() -> None:
    store = Counting()
    async with Runner(store) as runner:
        workflow, data = parent_of(5, REST, "emit: joined, at_once: 1")
        await runner.start(workflow, id="p", data=data)
        heads = [await store.head(f"p.1.{number}") for number in range(1, 6)]
        assert [(head.status, head.is_paused) for head in heads] == [(Status.RUNNING, True)] * 5


@on_loop
async def test_a_child_that_is_taken_back_after_its_end_is_waited_for_again() -> None:
    store = Counting()
    async with Runner(store) as runner:
        workflow, data = parent_of(3, QUESTION, "emit: joined")
        await runner.start(workflow, id="p", data=data)
        for number in (1, 2):
            await runner.answer(f"p.1.{number}")
        assert (await runner.rewind("p.1.1", 1)).agent.status is Status.WAITING
        await runner.answer("p.1.3")
        assert (await runner.get("p")).status is Status.RUNNING
        await runner.answer("p.1.1")
        assert (await runner.get("p")).status is Status.DONE


@on_loop
async def test_a_parent_that_cancels_the_rest_hears_of_a_failure_at_once() -> None:
    async with Runner(Counting()) as runner:
        workflow, data = parent_of(3, QUESTION, "emit: joined, on_failure: cancel_rest")
        await runner.start(workflow, id="p", data=data)
        await runner.cancel("p.1.2")
        assert (await runner.get("p")).error == {
            "type": "ChildFailed",
            "message": "child 'p.1.1' was cancelled; 3 were not done",
        }
        assert [(await runner.get(f"p.1.{n}")).status for n in (1, 2, 3)] == [Status.CANCELLED] * 3


@pytest.mark.parametrize("how", FAMILIES)
@on_loop
async def test_twice_as_many_children_are_read_twice_as_often(how: str) -> None:
    few, many = [await reads_of(*FAMILIES[how], count) for count in (60, 120)]
    assert many <= 2.2 * few
    assert many <= 20 * 120
