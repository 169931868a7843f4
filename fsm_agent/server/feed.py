"""Who watches agents is told when they change: at once by the runner of this process, and else by a look at the store.

All who watch share that look, which asks for all of their agents at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.errors import StoreError
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: seconds between two looks
_EVERY_S: Final = 0.5
#: agents that one look asks for at once
_PAGE: Final = 500


class Bell:
    """Rings when an agent has changed; whoever hears it looks what has."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next ring since the last call; False if none came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Feed:
    """The bells of one namespace."""

    def __init__(self) -> None:
        self._bells: dict[str, set[Bell]] = {}
        #: what the last look saw of the agents that somebody watches
        self._seen: dict[str, tuple[int, str, int]] = {}
        self.is_closed = False

    def observe(self, head: Head) -> None:
        """Tell of a head that this process has written, or is about to work on."""
        if head.id in self._bells:
            self._look_at(head)

    @contextmanager
    def watch(self, agent_id: str) -> Iterator[Bell]:
        """A bell for an agent, for as long as somebody watches. Once the feed is closed it rings at once."""
        bell = Bell()
        self._bells.setdefault(agent_id, set()).add(bell)
        if self.is_closed:
            bell.ring()
        try:
            yield bell
        finally:
            bells = self._bells[agent_id]
            bells.discard(bell)
            if not bells:
                del self._bells[agent_id]
                self._seen.pop(agent_id, None)

    def close(self) -> None:
        """Ring all bells for the last time: who watches goes home."""
        self.is_closed = True
        for agent_id in self._bells:
            self._ring(agent_id)

    async def run(self, store: Store) -> None:
        """Look at the store for what other processes have done, until cancelled."""
        is_away = False
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self._look(store)
                is_away = False
            except StoreError as error:
                if not is_away:
                    logger.warning("nobody is told of new steps: %s", error, extra={"action": "feed_failed"})
                is_away = True

    async def _look(self, store: Store) -> None:
        watched = list(self._bells)
        for start in range(0, len(watched), _PAGE):
            page = watched[start : start + _PAGE]
            heads = {head.id: head for head in await store.heads(page)}
            for agent_id in page:
                if agent_id in heads:
                    self._look_at(heads[agent_id])
                elif self._seen.pop(agent_id, None) is not None:
                    self._ring(agent_id)  # it is gone

    def _look_at(self, head: Head) -> None:
        seen = (head.version, str(head.status), head.attempts)
        if self._seen.get(head.id) != seen:
            self._seen[head.id] = seen
            self._ring(head.id)

    def _ring(self, agent_id: str) -> None:
        for bell in self._bells.get(agent_id, ()):
            bell.ring()
