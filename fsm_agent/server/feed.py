"""Who watches agents is told when they change: at once by the runner of this process, and else by a look at the store.

All who watch share that look, which asks for all of their agents at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.domain.problem import Problem
from fsm_agent.errors import StoreError
from fsm_agent.server.bell import Bell
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: seconds between two looks
_EVERY_S: Final = 0.5
#: agents that one look asks for at once
_PAGE: Final = 500


class Watch(Bell):
    """What one who watches an agent knows of it. It rings when the agent changes, when the store is there again, and
    when the feed ends."""

    def __init__(self, agent_id: str, heads: dict[str, Head]) -> None:
        super().__init__()
        self._agent_id = agent_id
        self._heads = heads

    @property
    def head(self) -> Head | None:
        """The newest head that is known; ``None`` before the first look, and when the agent is gone."""
        return self._heads.get(self._agent_id)


class Feed:
    """The changes of the agents of one namespace."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        #: of agents that somebody watches
        self._heads: dict[str, Head] = {}
        #: agents of which this process has told since the present look began, so that it knows more than the look
        self._told: set[str] = set()
        #: how often the store was looked at
        self.looks = 0
        self.is_closed = False
        #: whether the store did not answer when it was asked last
        self.is_away = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(map(len, self._watches.values()))

    def observe(self, head: Head) -> None:
        """Tell of a head that this process has written or read, or is about to work on."""
        if head.id not in self._watches:
            return
        self._told.add(head.id)
        known = self._heads.get(head.id)
        if known is None or (head.created_ms, head.version) >= (known.created_ms, known.version):
            self._learn(head)

    @contextmanager
    def watch(self, agent_id: str) -> Iterator[Watch]:
        """Watch an agent. Once the feed is closed, a change is told at once."""
        watch = Watch(agent_id, self._heads)
        self._watches.setdefault(agent_id, set()).add(watch)
        if self.is_closed:
            watch.ring()
        try:
            yield watch
        finally:
            watches = self._watches[agent_id]
            watches.discard(watch)
            if not watches:
                del self._watches[agent_id]
                self._heads.pop(agent_id, None)

    def close(self) -> None:
        """Tell of a change for the last time: who watches goes home."""
        self.is_closed = True
        self._ring_all()

    def miss(self, error: StoreError) -> None:
        """Tell that the store does not answer. Who watches is told when it does again."""
        if not self.is_away:
            logger.warning("nobody is told of new steps: %s", error, extra={"action": "feed_failed"})
        self.is_away = True

    async def run(self, store: Store) -> None:
        """Look at the store for what other processes have done, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self._look(store)
                self.looks += 1
            except StoreError as error:
                self.miss(error)
                continue
            if self.is_away:
                self.is_away = False
                logger.warning("who watches is told of new steps again", extra={"action": "feed_recovered"})
                self._ring_all()

    async def _look(self, store: Store) -> None:
        watched = list(self._watches)
        for start in range(0, len(watched), _PAGE):
            await self._look_at(store, watched[start : start + _PAGE])
        if not watched and self.is_away:
            await store.now()

    async def _look_at(self, store: Store, agent_ids: Collection[str]) -> None:
        self._told.clear()
        heads = {head.id: head for head in await store.heads(agent_ids)}
        for agent_id in agent_ids:
            if agent_id in self._told or agent_id not in self._watches:
                continue
            if agent_id in heads:
                self._learn(heads[agent_id])
            elif self._heads.pop(agent_id, None) is not None:
                self._ring(agent_id)  # it is gone

    def _learn(self, head: Head) -> None:
        known = self._heads.get(head.id)
        self._heads[head.id] = head
        if known is None or _standing(known) != _standing(head):
            self._ring(head.id)

    def _ring(self, agent_id: str) -> None:
        for watch in self._watches.get(agent_id, ()):
            watch.ring()

    def _ring_all(self) -> None:
        for agent_id in self._watches:
            self._ring(agent_id)


def _standing(head: Head) -> tuple[int, int, str, int, Problem | None]:
    """The facts about an agent that count as a change if they differ."""
    return head.created_ms, head.version, head.status, head.attempts, head.problem
