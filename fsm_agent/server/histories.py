"""Histories for the server: paths and pasts that are asked for again and again, such as by who looks back step by step.

To read and tell a history of ten thousand steps takes most of a second. So a path only grows by what is new, and a past
is kept for a few seconds.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.replay.history import Past
from fsm_agent.render.graph import graph_of
from fsm_agent.render.overlay import PathTracker
from fsm_agent.render.renames import named_as_now
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store

_MOST_PATHS: Final = 200
_MOST_PASTS: Final = 4
#: seconds since a past was last asked for
_PAST_KEPT_S: Final = 10.0
#: more steps than this are followed in a thread
_MANY: Final = 500


class Mark(NamedTuple):
    """How an element of a diagram stands out to which an agent has come."""

    #: it is there
    is_here: bool = False
    #: the step that led to the version came there, or took this way
    is_last: bool = False


class _Path:
    """The way of an agent through a definition, as far as it was followed."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._version = 0
        self._lock = asyncio.Lock()
        self.tracker = PathTracker(workflow)

    async def reach(self, store: Store, agent_id: str, version: int) -> None:
        """Follow the agent to a version at least."""
        async with self._lock:
            if self._version < version:
                await self.follow(await store.history(agent_id, after=self._version))

    async def follow(self, steps: Sequence[Step]) -> None:
        if len(steps) > _MANY:
            await asyncio.to_thread(self._follow, steps)
        else:
            self._follow(steps)

    def _follow(self, steps: Sequence[Step]) -> None:
        for step in named_as_now(self._workflow, steps):
            self.tracker.follow(step)
            self._version = step.version


class Histories:
    """The histories of one namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: by agent, its creation and its definition
        self._paths: OrderedDict[tuple[str, int, str], _Path] = OrderedDict()
        #: by agent and its creation: until when it is kept, and the past
        self._pasts: OrderedDict[tuple[str, int], tuple[float, asyncio.Task[Past]]] = OrderedDict()

    async def at(self, head: Head, version: int) -> Aggregate:
        """The agent of a head as it was at a version. Raises ``VersionMissing``, ``HistoryBroken``, ``KeyMissing``."""
        past = await self._past(head, version)
        return await asyncio.to_thread(past.at, version)

    async def _past(self, head: Head, version: int) -> Past:
        now_s = monotonic()
        for key in [key for key, (until_s, _) in self._pasts.items() if until_s < now_s]:
            del self._pasts[key]
        key = head.id, head.created_ms
        _, task = self._pasts.pop(key, (0.0, None))
        if task is None or (task.done() and (task.exception() is not None or task.result().last < version)):
            task = asyncio.create_task(load_past(self._store, head.id))
        self._pasts[key] = now_s + _PAST_KEPT_S, task
        if len(self._pasts) > _MOST_PASTS:
            self._pasts.popitem(last=False)
        return await asyncio.shield(task)

    async def marks(self, workflow: Workflow, head: Head, at: Head) -> Mapping[str, Mark]:
        """Id of an element of the diagram of ``workflow`` -> how it stands out, for an agent as it was ``at`` a version
        at which it had this definition. ``head`` is the agent as it is now."""
        tracker = await self._followed(workflow, head, at)
        marks: dict[str, Mark] = {}
        for name, turns in tracker.turns.items():
            if place := bisect_right(turns, at.version):
                marks[name] = Mark(is_last=turns[place - 1] == at.version)
        ids = graph_of(workflow).ids
        for state, times in at.visits.items():  # a shortened history does not tell of all of them
            if times and state in ids:
                marks.setdefault(ids[state], Mark())
        for state in lineage(at.state):
            marks[ids[state]] = marks.get(ids[state], Mark())._replace(is_here=state == at.state)
        return marks

    async def _followed(self, workflow: Workflow, head: Head, at: Head) -> PathTracker:
        """The path of an agent, as far as that version at least."""
        if at.definition == head.definition:
            path = self._path(workflow, head)
            await path.reach(self._store, head.id, at.version)
        else:
            path = _Path(workflow)
            steps = await self._store.history(head.id)
            await path.follow([step for step in steps if step.version <= at.version])
        return path.tracker

    def _path(self, workflow: Workflow, head: Head) -> _Path:
        key = (head.id, head.created_ms, workflow.hash)
        path = self._paths.pop(key) if key in self._paths else _Path(workflow)
        self._paths[key] = path
        if len(self._paths) > _MOST_PATHS:
            self._paths.popitem(last=False)
        return path
