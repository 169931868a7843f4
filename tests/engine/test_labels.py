"""Labels: given once, kept through everything that becomes of an agent, and part of what a key was used for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fsm_agent import Runner, open_store
from fsm_agent.domain.retention import Retention
from fsm_agent.errors import KeyReuse
from fsm_agent.runtime.replay import agent_at
from fsm_agent.testing import FakeClock
from tests.support.parent_workflow import LookUp, all_heads, parent_workflow
from tests.support.runtime import flow, on_loop

CASE = flow("""
    data: {n: {type: integer, default: 0}}
    events: {more: {}, work: {}, worked: {}}
    initial: open
    states:
      open:
        on: {more: {target: open, assign: {n: data.n + 1}}, work: working}
      working: {do: work, on: {worked: done, error: done}}
      done: {final: true, output: {n: data.n}}
""")
NEWER = replace(CASE, version=2, description="another")
LABELS = {"case": "A-17", "lane": "", "Größe": "zwölf, =\n"}


@asynccontextmanager
async def case(url: str = "memory://") -> AsyncIterator[Runner]:
    """A runner with the agent ``a`` at version 4."""
    async with Runner(open_store(url, clock=FakeClock())) as runner:
        await runner.start(CASE, id="a", labels=LABELS, user="ana")
        for _ in range(3):
            await runner.send("a", "more")
        yield runner


async def check(runner: Runner, agent_id: str = "a", labels: Mapping[str, str] = LABELS) -> None:
    """Everybody says the same of the labels, and the history adds up without them."""
    agent = await runner.get(agent_id)
    assert (agent.labels, agent.to_json()["labels"]) == (labels, labels)
    replayed = await runner.replay(agent_id)
    assert replayed.mismatches == []
    assert replayed.agent is not None
    assert (replayed.agent.labels, replayed.agent.user) == (labels, agent.user)
    [listed] = [each for each in (await runner.list()).agents if each.id == agent_id]
    assert listed.labels == labels


@on_loop
async def test_every_step_keeps_them_and_every_earlier_version_has_them(every_url: str) -> None:
    async with case(every_url) as runner:
        await check(runner)
        for version in (1, 2, 4):
            then = await runner.get("a", at=version)
            assert (then.version, then.labels, then.user) == (version, LABELS, "ana")
        assert (await agent_at(runner.store, "a", 1))[0].labels == LABELS
        told = (await runner.replay("a", to=2)).agent
        assert told is not None
        assert told.labels == LABELS
        assert (await runner.send("a", "cancel")).labels == LABELS


@on_loop
async def test_a_rewind_and_a_migration_keep_them(every_url: str) -> None:
    async with case(every_url) as runner:
        assert (await runner.rewind("a", 2)).agent.labels == LABELS
        await check(runner)
        assert [each.verdict for each in (await runner.migrate(NEWER, ["a"], apply=True)).outcomes] == ["moved"]
        assert (await runner.get("a")).workflow_version == 2
        await check(runner)
        assert (await runner.rewind("a", 3)).agent.workflow_version == 1
        await check(runner)


@on_loop
async def test_a_parked_agent_keeps_them(every_url: str) -> None:
    async with case(every_url) as runner:
        assert (await runner.send("a", "work")).status == "parked", "there is no such action"
        await check(runner)
        assert (await runner.unpark("a", event="worked")).labels == LABELS
        await check(runner)


@on_loop
async def test_a_shortened_history_keeps_them(every_url: str) -> None:
    async with case(every_url) as runner:
        assert (await runner.purge(Retention.read({"history": 1}))).shortened == {"a": 3}
        await check(runner)
        assert (await runner.get("a", at=3)).labels == LABELS
        assert (await runner.rewind("a", 3)).agent.labels == LABELS
        await check(runner)


@on_loop
async def test_another_store_takes_them_over(every_url: str) -> None:
    async with case() as runner, Runner(open_store(every_url)) as other:
        await other.store.save_workflow(CASE.hash, CASE.to_json())
        await other.store.adopt(await runner.store.dump("a"))
        await check(other)
        assert [agent.id for agent in (await other.list(label=("Größe", LABELS["Größe"]))).agents] == ["a"]


@on_loop
async def test_a_fork_has_those_of_its_origin(every_url: str) -> None:
    async with case(every_url) as runner:
        for version, name in ((2, "b"), (None, "c")):
            assert (await runner.fork("a", version, id=name, key=f"fork {name}")).labels == LABELS
            await check(runner, name)
        assert (await runner.fork("a", 2, key="fork b")).labels == LABELS, "the key gives the same agent"
        assert (await runner.fork("b", id="d")).labels == LABELS
        assert [agent.id for agent in (await runner.list(label="case")).agents] == ["a", "b", "c", "d"]


@on_loop
async def test_children_have_none() -> None:
    look = LookUp().as_action()
    async with Runner(open_store("memory://", clock=FakeClock()), actions=[look]) as runner:
        data = {"topics": ["tea", "ask"]}
        await runner.start(parent_workflow(), "go", id="p", data=data, labels=LABELS, user="ana")
        heads = {head.id: (head.user, dict(head.labels)) for head in await all_heads(runner)}
        assert heads.pop("p") == ("ana", LABELS)
        assert list(heads.values()) == [("ana", {}), ("ana", {})]


@pytest.mark.parametrize(
    "other", [{}, None, {**LABELS, "lane": "express"}, {"case": "A-17"}, {**LABELS, "more": ""}, {"Case": "A-17"}]
)
@on_loop
async def test_a_key_is_for_the_labels_that_it_was_used_with(other: dict[str, str] | None) -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(CASE, "more", key="k", labels=LABELS, id="a")
        turned = dict(reversed(LABELS.items()))
        again = await runner.start(CASE, "more", key="k", labels=turned)
        assert (again.id, again.delivery, again.labels) == ("a", "duplicate", LABELS)
        with pytest.raises(KeyReuse, match="user or labels"):
            await runner.start(CASE, "more", key="k", labels=other)
        assert [agent.id for agent in (await runner.list()).agents] == ["a"]


@on_loop
async def test_a_key_without_labels_is_not_for_an_agent_with_some() -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(CASE, "more", key="k", user="ana")
        assert (await runner.start(CASE, "more", key="k", user="ana", labels={})).delivery == "duplicate"
        with pytest.raises(KeyReuse):
            await runner.start(CASE, "more", key="k", user="ana", labels={"ana": ""})


@on_loop
async def test_what_a_caller_does_with_a_mapping_in_its_hands_changes_no_agent() -> None:
    async with Runner(open_store("memory://")) as runner:
        mine = {"case": "A-17"}
        agent = await runner.start(CASE, id="a", labels=mine)
        [listed] = (await runner.list()).agents
        for labels in (mine, agent.labels, listed.labels, (await runner.get("a")).labels):
            assert isinstance(labels, dict)
            labels["case"] = "B-1"
        await check(runner, labels={"case": "A-17"})
