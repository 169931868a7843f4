"""Leases in memory: who drives which agent, and which agents need somebody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from itertools import islice

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.damage import readable
from fsm_agent.stores.memory.agent import Kept
from fsm_agent.stores.memory.due_index import DueIndex
from fsm_agent.stores.memory.listing import MemoryListing
from fsm_agent.stores.refusals import moved_on


class MemoryLeases(MemoryListing):
    """The part of ``MemoryStore`` by which workers share the work."""

    _clock: SteadyClock
    _due: DueIndex
    #: what is called at each ring
    _listeners: list[Callable[[], None]]

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        return self._due.longest_due(now_ms, limit)

    async def held_here(self, host: str) -> Sequence[Head]:
        return list(readable(self._due.held_from(host), self._readable, []))

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        with closing(self._due.lapsed(now_ms)) as gone:
            return list(islice(readable(gone, self._readable, []), limit))

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        kept = self._unmoved(agent_id, seen)
        return self._hold(agent_id, kept, kept.epoch + 1, lease)

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        kept = self._kept(agent_id)
        if kept.epoch != epoch or kept.lease is None:
            return False
        self._hold(agent_id, kept, epoch, lease)
        return True

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        def is_wanted(agent_id: str) -> bool:
            head = self._agents[agent_id].written
            if not isinstance(head, Head):  # it is damaged
                return False
            is_left_out = head.version < 0 or (head.definition, head.state) in without
            return not is_left_out and (workflows is None or head.workflow in workflows)

        claimed = []
        for agent_id in self._due.longest_due(self._clock.now(), limit, is_wanted):
            kept = self._agents[agent_id]
            claimed.append(Claimed(agent_id, self._hold(agent_id, kept, kept.epoch + 1, lease)))
        return claimed

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        renewed = []
        for agent_id, epoch in held:
            kept = self._agents.get(agent_id)
            if kept is not None and kept.epoch == epoch and kept.lease is not None:
                self._hold(agent_id, kept, epoch, lease)
                renewed.append(agent_id)
        return renewed

    async def ring(self) -> None:
        for heard in list(self._listeners):
            heard()

    async def listen(self, heard: Callable[[], None]) -> None:
        from asyncio import Event

        self._listeners.append(heard)
        try:
            heard()
            await Event().wait()
        finally:
            self._listeners.remove(heard)

    async def release(self, agent_id: str, epoch: int) -> None:
        kept = self._kept(agent_id)
        if kept.epoch == epoch:
            self._hold(agent_id, kept, epoch, None)

    def _unmoved(self, agent_id: str, seen: Head) -> Kept:
        """The agent, if it stands where ``seen`` shows it; raises ``Conflict`` otherwise."""
        kept = self._kept(agent_id)
        if (kept.written.version, kept.epoch, kept.lease) != (seen.version, seen.epoch, seen.lease):
            raise moved_on(agent_id, seen.version, kept.written.version)
        return kept

    def _hold(self, agent_id: str, kept: Kept, epoch: int, lease: Lease | None) -> int:
        """Under this epoch, which is returned."""
        kept.epoch, kept.lease = epoch, lease
        self._moved(agent_id, kept)
        return epoch

    def _moved(self, agent_id: str, kept: Kept) -> None:
        """Keep the index true; called after whatever may have changed when an agent is due, or its lease."""
        self._due.put(agent_id, kept.wake_ms, kept.updated_ms, kept.lease)
