"""A workflow that has one child for each topic, and functions that read the states of parent and children."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from textwrap import dedent
from typing import Any

from fsm_agent import Context, Runner, action, open_store
from fsm_agent.domain.agent import Head, child_id
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support.runtime import flow

#: what its children work at, and are asked about if they ask
_CHILD = """
        workflow: child
        version: 1
        data: {topic: string, place: integer?, found: string?}
        user: {seen: {type: integer, default: 0}}
        events: {begin: {loud: boolean}, found: {}, unsure: {}, said: {text: string}}
        initial: INITIAL
        states:
          idle: {on: {begin: {target: looking, assign: {found: "event.loud ? 'loud' : 'soft'"}}}}
          looking: {do: look, on: {found: done, unsure: asking, error: failed}}
          asking:
            ask: {prompt: "What of {{ data.topic }}?", events: [said]}
            after: {PATIENCE: failed}
            on: {said: {target: done, assign: {found: event.text}}}
          done: {final: true, output: {topic: data.topic, found: data.found, place: data.place}}
          failed: {final: true, outcome: failed}
"""
_PARENT = """
    data: {topics: {type: array, items: {type: string}, default: []}, results: {type: array, default: []}}
    events: {go: {}, joined: {}, stop: {}, note: {}, again: {}}
    initial: idle
    workflows:
      child:CHILD
    states:
      idle: {on: {go: running}}
      running:
        do: workflow.run
        with: {workflow: child, for_each: data.topics, data: {topic: item, place: index}, into: results, EMIT, MORE}
        STATE
        on: {joined: done, stop: resting, note: {}, again: running, error: failed}
        after: {12h: resting}
      resting: {on: {go: running}}
      done: {final: true, output: {results: data.results}}
      failed: {final: true, outcome: failed}
"""


def parent_workflow(
    more: str = "", *, state: str = "", rest: str = "", initial: str = "looking", patience: str = "8h"
) -> Workflow:
    """``more`` is added under ``with``, ``state`` to the state whose work the children are, ``rest`` to the parent;
    ``patience`` is how long a child waits for an answer."""
    child = _CHILD.replace("INITIAL", initial).replace("PATIENCE", patience)
    text = _PARENT.replace("CHILD", "\n" + child).replace("EMIT, MORE", ", ".join(filter(None, ["emit: joined", more])))
    return flow(dedent(text.replace("STATE", state)) + rest)


class LookUp:
    """The action of the children; the name of the topic decides how it ends."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        #: how often each was looked at
        self.looked: list[str] = []
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def begun(self, topic: str) -> None:
        """Wait until it is looked at (again, after ``forget``)."""
        await self._begun[topic].wait()

    def forget(self) -> None:
        self.looked.clear()
        self._begun.clear()

    def as_action(self) -> Any:
        @action(name="look")
        async def look(ctx: Context) -> str:
            topic: str = ctx.data.topic
            self.looked.append(topic)
            self._begun[topic].set()
            self.now, self.most = self.now + 1, max(self.most, self.now + 1)
            try:
                await asyncio.sleep(60 if topic.startswith("long") else 0)
            finally:
                self.now -= 1
            if topic.startswith("bad"):
                raise ValueError(f"{topic} is no topic")
            if topic.startswith("odd"):
                return "vanished"
            ctx.data.found = ctx.data.found or topic.upper()
            return "unsure" if topic.startswith("ask") else "found"

        return look


class SharedStore:
    """A store with a clock of its own, in which runners come and go like processes."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.look_up = LookUp()
        self._store = open_store(url, clock=self.clock) if url.startswith("memory") else None
        self._url = url

    @asynccontextmanager
    async def runner(self, *actions: Any) -> AsyncIterator[Runner]:
        """A runner of its own; one in memory lends its store."""
        store = self._store or open_store(self._url, clock=self.clock)
        runner = Runner(store, actions=[self.look_up.as_action(), *actions])
        try:
            yield runner
        finally:
            await runner._executor.close()
            if self._store is None:
                await store.close()


async def child_states(runner: Runner, parent_id: str = "p", activation: int = 2, count: int = 9) -> list[str]:
    """The states of the children of an activation, in their order."""
    known = {head.id: head for head in await all_heads(runner)}
    idents = [child_id(parent_id, activation, number) for number in range(1, count + 1)]
    return [f"{known[ident].state} {known[ident].status}" for ident in idents if ident in known]


async def all_heads(runner: Runner) -> list[Head]:
    return list((await runner.store.list(limit=1000)).heads)


async def joined(runner: Runner, agent_id: str = "p") -> int:
    """How often an agent has joined its children; all histories must hold."""
    for head in await all_heads(runner):
        assert (await runner.replay(head.id)).is_verified, head.id
    return sum(step.event == "joined" for step in await runner.history(agent_id))
