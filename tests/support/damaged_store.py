"""A store with two agents, of which a test damages one, and what must still work then."""

from __future__ import annotations

from fsm_agent.domain.agent import Status
from fsm_agent.domain.defect import Defect
from fsm_agent.domain.message import Message
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.selection import ANYBODY, Selection, Tally
from fsm_agent.domain.step import Event
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.maintenance.inspection import inspect
from fsm_agent.runtime.maintenance.purge import purge
from fsm_agent.runtime.maintenance.size import weigh
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import an_effect

BAD, GOOD = "bad", "good"
_LIFE = """
workflow: {name}
version: 1
data: {{n: {{type: integer, default: 0}}}}
events: {{note: {{}}}}
initial: resting
states:
  resting:
    ask: {{prompt: "Note it?", events: [note]}}
    after: {{{name}: done}}
    on: {{note: {{assign: {{n: data.n + 1}}}}}}
  done: {{final: true}}
"""
SHORT = loads(_LIFE.format(name="1h").replace("workflow: 1h", "workflow: short"))
LONG = loads(_LIFE.format(name="99h").replace("workflow: 99h", "workflow: long"))


async def two_agents(at: str | Store, clock: FakeClock | None = None) -> FakeClock:
    """Make two agents of different definitions, with everything that a store can keep of an agent; then two hours
    pass."""
    clock = clock or FakeClock()
    async with Runner(open_store(at, clock=clock) if isinstance(at, str) else at) as runner:
        store = runner.store
        await _begin(runner, BAD, LONG)
        await _begin(runner, GOOD, SHORT)
        await purge(store, Retention(history=5))
        for agent_id in (BAD, GOOD):
            for _ in range(3):
                await runner.send(agent_id, "note", by="ana")
            head = await store.head(agent_id)
            await store.begin_effect(agent_id, an_effect()._replace(epoch=head.epoch))
        await store.enqueue(BAD, None, Event("note", {}, by="ana", key="late"), "late")
        await store.append("room", [Message.user("hello", by="ana")])
        await store.save_user(UserRecord("ana", 1, {"likes": "tea"}, clock.ms))
        assert (await inspect(store)).defects == []
    clock.advance(hours=2)
    return clock


async def _begin(runner: Runner, agent_id: str, workflow: Workflow) -> None:
    await runner.start(workflow, id=agent_id, key=f"start-{agent_id}", user="ana", labels={"case": "7"})
    for number in range(9):
        await runner.send(agent_id, "note", key=f"key-{number}")


async def defects_of(store: Store) -> list[Defect]:
    return (await inspect(store)).defects


async def others_go_on(store: Store, clock: FakeClock) -> None:
    """List, size, purge and a worker: whatever is wrong with one agent, they serve the other."""
    page = await store.list()
    assert GOOD in [head.id for head in page.heads]
    assert GOOD in [head.id for head in (await store.list(status=Status.WAITING)).heads]
    assert GOOD in [head.id for head in (await store.list(workflow=SHORT.name)).heads]
    assert GOOD in [head.id for head in (await store.questions(to=ANYBODY)).heads]
    assert GOOD in [head.id for head in (await store.select(Selection(user="ana"), newest=True)).heads]
    assert GOOD in [head.id for head in (await store.select(Selection(label=("case", None)))).heads]
    assert GOOD in [head.id for head in await store.heads([BAD, GOOD])]
    assert Tally(SHORT.name, "resting", Status.WAITING, 1) in await store.tally()
    assert GOOD in await store.due(clock.ms, 9)
    assert GOOD in [each.name for each in (await weigh(store)).agents]
    assert GOOD in (await purge(store, Retention(history=2), is_dry=True)).shortened
    runner = Runner(store)
    await Worker(runner).run_once()
    assert (await runner.get(GOOD)).state == "done"
