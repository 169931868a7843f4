"""Who watches the inbox is told when its questions change. All who watch share one look at the store, each second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.errors import StoreError
from fsm_agent.server.bell import Bell
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: seconds between two looks
_EVERY_S: Final = 1.0
#: questions that are looked at; of those behind them only the number is
MOST_SEEN: Final = 200


class QuestionFeed:
    """The changes of the open questions of one namespace."""

    def __init__(self) -> None:
        self._watches: set[Bell] = set()
        #: agent and question of the first open ones, and how many there are; ``None`` before the first look
        self._seen: tuple[tuple[tuple[str, int], ...], int] | None = None
        #: set when this process has written a head that may change them
        self._hint = asyncio.Event()
        self.is_closed = False
        #: whether the store did not answer when it was asked last
        self._is_away = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watches)

    def observe(self, _head: Head) -> None:
        """Tell of a head that this process has written: whatever it says, it may have asked or been answered, and the
        next look is at once."""
        if self._watches:
            self._hint.set()

    @contextmanager
    def watch(self) -> Iterator[Bell]:
        """Watch the inbox. Once the feed is closed, a change is told at once."""
        watch = Bell()
        self._watches.add(watch)
        if self.is_closed:
            watch.ring()
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            if not self._watches:
                self._seen = None

    def close(self) -> None:
        """Tell of a change for the last time: who watches goes home."""
        self.is_closed = True
        self._ring()

    async def run(self, store: Store) -> None:
        """Look at the store, until cancelled."""
        while True:
            await self._pause()
            if not self._watches:
                continue
            try:
                await self._look(store)
            except StoreError as error:
                if not self._is_away:
                    logger.warning("nobody is told of new questions: %s", error, extra={"action": "inbox_failed"})
                self._is_away = True
                continue
            if self._is_away:
                self._is_away = False
                logger.warning("who watches is told of new questions again", extra={"action": "inbox_recovered"})
                self._ring()

    async def _pause(self) -> None:
        """Until the next look: a second, or less if something has happened here, but never none."""
        try:
            async with asyncio.timeout(_EVERY_S):
                await self._hint.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_EVERY_S / 10)
        self._hint.clear()

    async def _look(self, store: Store) -> None:
        page = await store.questions(limit=MOST_SEEN)
        first = tuple((head.id, head.asked.id if head.asked else 0) for head in page.heads)
        total = len(first) if page.next is None else await store.count_questions()
        seen, self._seen = self._seen, (first, total)
        if seen != self._seen:  # at the first look, too: it may have changed since whoever watches has read it
            self._ring()

    def _ring(self) -> None:
        for watch in self._watches:
            watch.ring()
