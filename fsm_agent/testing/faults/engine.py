"""An engine as a writer uses it: some of its wake-ups are lost on purpose, and the journal notes what it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fsm_agent.engines import Advance, Engine, Wakeups, open_engine
from fsm_agent.errors import EngineUnavailable
from fsm_agent.testing.faults.journal import Journal

#: the part of the wake-ups that are lost
_LOST: Final = 0.05
#: how long after an engine was away it is tried again
_AGAIN_S: Final = 0.05


class FaultyEngine(Engine):
    """See the module. ``rng`` decides which wake-ups are lost."""

    def __init__(self, inner: Engine, journal: Journal, rng: random.Random) -> None:
        self.url = inner.url
        self._inner = inner
        self._journal = journal
        self._rng = rng

    def wakeups(self) -> Wakeups:
        return LossyWakeups(self._inner.wakeups(), self._rng, self._note_lost)

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        async def advance_and_note(agent_id: str) -> int | None:
            self._journal.note("woken", {"agent": agent_id})
            return await advance(agent_id)

        await self._inner.serve(advance_and_note, at_once=at_once, stopped=stopped, drain_s=drain_s)

    def _note_lost(self, agent_id: str) -> None:
        self._journal.note("wake-up lost", {"agent": agent_id})


class LossyWakeups(Wakeups):
    """Loses one wake-up in twenty, as ``rng`` decides; ``lost`` is told of each."""

    def __init__(self, inner: Wakeups, rng: random.Random, lost: Callable[[str], None]) -> None:
        self._inner = inner
        self._rng = rng
        self._lost = lost

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        if self._rng.random() < _LOST:
            self._lost(agent_id)
        else:
            await self._inner.wake(agent_id, at_ms)


@asynccontextmanager
async def faulty_engine(url: str, namespace: str, journal: Journal, rng: random.Random) -> AsyncIterator[FaultyEngine]:
    """An engine that is connected; waits until it can be reached."""
    while True:
        inner = open_engine(url, namespace=namespace)
        try:
            await inner.connect()
        except EngineUnavailable:
            await inner.close()
            await asyncio.sleep(_AGAIN_S)
        else:
            break
    try:
        yield FaultyEngine(inner, journal, rng)
    finally:
        await inner.close()
