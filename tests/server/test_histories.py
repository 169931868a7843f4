"""Paths and pasts that a server is asked for again and again: the same as if they were read anew each time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fsm_agent.domain.agent import Head
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import VersionMissing
from fsm_agent.loading.yaml_file import loads
from fsm_agent.render.graph import graph_of
from fsm_agent.render.overlay import overlay_from_history
from fsm_agent.runtime.runner import Runner
from fsm_agent.server.histories import Histories, Mark
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.page_agents import COUNTER

OLD = loads(COUNTER)
NEW = loads(
    COUNTER.replace("version: 1", "version: 2").replace("resting", "asleep")
    + "migrations:\n  - {from: 1, states: {resting: asleep}}\n"
)


def in_store(work: Any) -> None:
    async def run() -> None:
        async with Runner(open_store("memory://")) as runner:
            await work(runner)

    asyncio.run(run())


async def drawn(store: Store, workflow: Workflow, head: Head, version: int) -> Mapping[str, Mark]:
    """What a picture of the whole history would mark."""
    steps = [step for step in await store.history(head.id) if step.version <= version]
    overlay = overlay_from_history(workflow, head.state, steps)
    return {
        name: Mark(str(mark.emphasis) == "current", bool(mark.turns) and mark.turns[-1] == version)
        for name, mark in overlay.marks.items()
    }


@pytest.mark.parametrize(
    "events", [["tick"], ["tick", "rest", "tick", "tick"], ["rest", "tick", "rest", "tick", "stop"]]
)
def test_a_path_that_grows_step_by_step_is_that_of_the_whole_history(events: list[str]) -> None:
    async def work(runner: Runner) -> None:
        store, histories = runner.store, Histories(runner.store)
        await runner.start(OLD, id="one")
        for event in events:
            await runner.send("one", event)
            head = await store.head("one")
            assert await histories.marks(OLD, head, head) == await drawn(store, OLD, head, head.version)
        for version in range(1, len(events) + 2):
            then = (await histories.at(head, version)).head
            assert await histories.marks(OLD, head, then) == await drawn(store, OLD, then, version)

    in_store(work)


def test_after_a_migration_states_have_their_present_names_and_before_it_those_of_then() -> None:
    async def work(runner: Runner) -> None:
        store, histories = runner.store, Histories(runner.store)
        await runner.start(OLD, id="one")
        await runner.send("one", "rest")
        before = await store.head("one")
        await histories.marks(OLD, before, before)
        await runner.migrate(NEW, ["one"], apply=True)
        await runner.send("one", "tick")
        head = await store.head("one")
        new, old = graph_of(NEW).ids, graph_of(OLD).ids
        assert {new["asleep"], new["counting"]} <= set(await histories.marks(NEW, head, head))
        then = (await histories.at(head, 2)).head
        marks = await histories.marks(OLD, head, then)
        assert marks[old["resting"]] == Mark(is_here=True, is_last=True)
        await runner.rewind("one", 2)
        back = await store.head("one")
        assert await histories.marks(OLD, back, back) == await drawn(store, OLD, back, back.version)

    in_store(work)


def test_a_past_that_is_kept_goes_on_with_the_agent_and_ends_with_it() -> None:
    async def work(runner: Runner) -> None:
        store, histories = runner.store, Histories(runner.store)
        await runner.start(OLD, id="one")
        head = await store.head("one")
        with pytest.raises(VersionMissing):
            await histories.at(head, 2)
        await runner.send("one", "tick")
        head = await store.head("one")
        assert (await histories.at(head, 2)).folded.values == {"count": 1}
        await store.delete(head)
        await runner.start(OLD, id="one", data={"count": 7})
        head = (await store.head("one"))._replace(created_ms=head.created_ms + 1)
        assert (await histories.at(head, 1)).folded.values == {"count": 7}

    in_store(work)
