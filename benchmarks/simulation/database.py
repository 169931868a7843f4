"""A database as workers see it: a store in memory, and how long each verb takes.

A verb waits until the only core of its process has made the request, travels, and waits for a core of the database. It
happens at one moment, when that core has done it. Together the figures are about what
`make bench-scale` measures of a small step on PostgreSQL, and of the process on a quiet machine.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from benchmarks.simulation.recorder import Recorder
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.domain.record import Commit, Committed, Creation, Page, Record
from fsm_agent.errors import Conflict
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.stores.memory.store import MemoryStore

CORES: Final = 8
#: there and back; the second is the mean of what comes on top of it
_NETWORK_S: Final = 0.0003
_NETWORK_MORE_S: Final = 0.0002
#: of a core of the database
_LOAD_S: Final = 0.0001
_COMMIT_S: Final = 0.00025
_TAKE_S: Final = 0.0001
_TAKE_EACH_S: Final = 0.00003
_SMALL_S: Final = 0.00005
#: of the process that asks, for a verb of one agent with all that is done for it in Python
_PROCESS_S: Final = 0.00015
#: the mean of the time until a ring is heard
_RING_S: Final = 0.001


class Cores:
    """Serve who comes first. All cores are alike."""

    def __init__(self, count: int) -> None:
        self._free_s = [0.0] * count

    async def work(self, seconds: float, *, travel_s: float = 0.0) -> None:
        """Wait for a core, and until it is done."""
        now_s = asyncio.get_running_loop().time()
        end_s = max(now_s + travel_s, heapq.heappop(self._free_s)) + seconds
        heapq.heappush(self._free_s, end_s)
        await asyncio.sleep(end_s - now_s)


@dataclass(slots=True)
class Database:
    """What all processes share. ``lost`` is the part of the rings that nobody hears."""

    store: MemoryStore
    recorder: Recorder
    lost: float = 0.0
    cores: Cores = field(default_factory=lambda: Cores(CORES))
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def ring(self) -> None:
        loop = asyncio.get_running_loop()
        for heard in self.listeners:
            if random.random() >= self.lost:  # noqa: S311 - the seed decides
                loop.call_later(random.expovariate(1 / _RING_S), heard)


class Connection(ForwardingStore):
    """The database, as one process reaches it."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(database.store)
        self.needs_loop = True
        self._database = database
        self._name = name
        self._process = Cores(1)

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        raise TypeError("a connection belongs to a database, and is made with it")

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        await self._reach(_TAKE_S)
        claimed = await self._store.take(limit, lease, workflows=workflows, without=without)
        self._database.recorder.taken(self._name, claimed)
        if claimed:
            await self._database.cores.work(_TAKE_EACH_S * len(claimed))
        return claimed

    async def create(self, creation: Creation) -> Head:
        await self._reach(_COMMIT_S)
        head = await self._store.create(creation)
        self._database.recorder.created(head)
        return head

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        await self._reach(_LOAD_S)
        return await self._store.load(agent_id, key=key)

    async def commit(self, commit: Commit) -> Committed:
        await self._reach(_COMMIT_S)
        try:
            committed = await self._store.commit(commit)
        except Conflict:
            self._database.recorder.refused += 1
            raise
        self._database.recorder.committed(self._name, commit.head)
        return committed

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        await self._reach(_SMALL_S + _TAKE_EACH_S * len(held))
        return await self._store.renew_all(held, lease)

    async def release(self, agent_id: str, epoch: int) -> None:
        await self._reach(_SMALL_S)
        await self._store.release(agent_id, epoch)

    async def ring(self) -> None:
        await self._reach(_SMALL_S)
        self._database.ring()

    async def listen(self, heard: Callable[[], None]) -> None:
        self._database.listeners.append(heard)
        try:
            heard()
            await asyncio.Event().wait()
        finally:
            self._database.listeners.remove(heard)

    async def held_here(self, host: str) -> Sequence[Head]:
        """No process dies, so nobody looks for those that have."""
        return ()

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        return ()

    async def list_in(self, statuses: Collection[Status], **selection: Any) -> Page:
        """Nothing is kept for some time only, so that there is nothing to look for."""
        return Page((), None)

    async def close(self) -> None:
        """Others go on with the store."""

    async def _reach(self, seconds: float) -> None:
        await self._process.work(_PROCESS_S)
        await self._database.cores.work(seconds, travel_s=_NETWORK_S + random.expovariate(1 / _NETWORK_MORE_S))
