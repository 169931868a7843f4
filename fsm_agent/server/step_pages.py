"""Steps as they are sent to those who follow agents. What many ask for at once is read and encoded once for all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step
from fsm_agent.stores import codec
from fsm_agent.stores.base import Store

#: steps of a page: the first that somebody reads, and the longest
FIRST_PAGE: Final = 25
_LONGEST_PAGE: Final = 200
#: bytes of a page that is as long as it should be
_HEAVY: Final = 200_000
#: bytes that are sent at once
_CHUNK: Final = 32_000
#: how long a short page is kept, in seconds, and how many are
_KEPT_S: Final = 1.0
_MOST_KEPT: Final = 500

#: agent, when it was created, and the version after which a page begins
_Key: TypeAlias = tuple[str, int, int]


class Page(NamedTuple):
    """Some steps of an agent, as server-sent events."""

    #: each holds whole events
    chunks: tuple[bytes, ...]
    #: version of the last step; that after which it begins if there is none
    last: int
    #: how many steps the next page may have
    limit: int


class StepPages:
    """Reads pages of the histories of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: page -> until when it is kept, in the order in which they were asked for
        self._pages: OrderedDict[_Key, tuple[float, asyncio.Task[Page]]] = OrderedDict()

    async def after(self, head: Head, version: int, limit: int = FIRST_PAGE) -> Page:
        """The steps of an agent after a version, at most ``limit`` of them. Steps that the history has forgotten are
        told as one event. Raises ``AgentNotFound``, ``AgentDamaged``, ``StoreUnavailable``."""
        self._forget()
        key = head.id, head.created_ms, version
        kept = self._pages.get(key)
        if kept is None:
            task = asyncio.create_task(self._read(head.id, version, limit))
            task.add_done_callback(lambda done: self._keep(key, done))
            kept = self._pages[key] = monotonic() + _KEPT_S, task
        return await asyncio.shield(kept[1])

    def _keep(self, key: _Key, task: asyncio.Task[Page]) -> None:
        """Keep what was read if others may ask for it soon: long pages are those of one who reads an old history."""
        if task.cancelled() or task.exception() is not None or len(task.result().chunks) != 1:
            self._pages.pop(key, None)

    def _forget(self) -> None:
        now_s = monotonic()
        while self._pages:
            key, (until_s, task) = next(iter(self._pages.items()))
            if until_s > now_s and len(self._pages) < _MOST_KEPT:
                return
            if not task.done():
                self._pages.move_to_end(key)  # a store that takes its time; whoever asks now waits for the same
                return
            del self._pages[key]

    async def _read(self, agent_id: str, version: int, limit: int) -> Page:
        steps = await self._store.history(agent_id, after=version, limit=limit)
        events: list[bytes] = []
        if not steps or steps[0].version > version + 1:
            origin = await self._store.origin(agent_id)
            begins = steps[0].version if steps else (origin.head.version + 1 if origin else 0)
            if begins > version + 1:
                events.append(event("forgotten", {"from": version + 1, "to": begins - 1}, begins - 1))
                version = begins - 1
        events += [step_event(step) for step in steps]
        weight = sum(map(len, events))
        longer = 2 * limit if weight < _HEAVY else limit * _HEAVY // weight
        return Page(tuple(_joined(events)), steps[-1].version if steps else version, max(1, min(longer, _LONGEST_PAGE)))


def step_event(step: Step) -> bytes:
    return event("step", step.to_json(), step.version)


def event(name: str, data: Json, version: int | None = None) -> bytes:
    """A server-sent event; ``version`` is where a reader who comes again goes on."""
    place = "" if version is None else f"id: {version}\n"
    return f"{place}event: {name}\ndata: {codec.encode(data)}\n\n".encode()


def _joined(events: Iterable[bytes]) -> Iterator[bytes]:
    """Events together, as many as may be sent at once."""
    chunk: list[bytes] = []
    weight = 0
    for each in events:
        if chunk and weight + len(each) > _CHUNK:
            yield b"".join(chunk)
            chunk, weight = [], 0
        chunk.append(each)
        weight += len(each)
    if chunk:
        yield b"".join(chunk)
