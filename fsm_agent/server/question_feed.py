"""Who watches an inbox is told when its questions change.

All who watch share one look at the store, each second. Where more questions are open than that look reads, the page of
each of them is read, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.errors import StoreError
from fsm_agent.server.bell import Bell
from fsm_agent.server.inbox import Inbox, question_keys
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: seconds between two looks
_EVERY_S: Final = 1.0
#: questions that are looked at for all; where there are more, each inbox that somebody watches is looked at
MOST_SEEN: Final = 200


class QuestionFeed:
    """The changes of the open questions of one namespace."""

    def __init__(self) -> None:
        self._watches: dict[Inbox, set[Bell]] = {}
        #: of each inbox that somebody watches: agent and id of the questions that it may show, and how many are open
        self._seen: dict[Inbox, tuple[Sequence[tuple[str, int]], int]] = {}
        #: set when this process has written a head that may change them
        self._hint = asyncio.Event()
        self.is_closed = False
        #: whether the store did not answer when it was asked last
        self._is_away = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(map(len, self._watches.values()))

    def observe(self, _head: Head) -> None:
        """Tell of a head that this process has written: whatever it says, it may have asked or been answered, and the
        next look is at once."""
        if self._watches:
            self._hint.set()

    @contextmanager
    def watch(self, inbox: Inbox) -> Iterator[Bell]:
        """Watch an inbox. Once the feed is closed, a change is told at once."""
        watch = Bell()
        self._watches.setdefault(inbox, set()).add(watch)
        if self.is_closed:
            watch.ring()
        try:
            yield watch
        finally:
            watches = self._watches[inbox]
            watches.discard(watch)
            if not watches:
                del self._watches[inbox]
                self._seen.pop(inbox, None)

    def close(self) -> None:
        """Tell of a change for the last time: who watches goes home."""
        self.is_closed = True
        self._ring_all()

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
                self._ring_all()

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
        first = question_keys(page.heads)
        total = len(first) if page.next is None else await store.count_questions()
        for inbox in list(self._watches):
            shown = first if page.next is None else await inbox.keys(store)
            if inbox in self._watches and self._seen.get(inbox) != (shown, total):
                self._seen[inbox] = shown, total  # the first look rings, too: it may have changed since it was read
                self._ring(inbox)

    def _ring(self, inbox: Inbox) -> None:
        for watch in self._watches.get(inbox, ()):
            watch.ring()

    def _ring_all(self) -> None:
        for inbox in self._watches:
            self._ring(inbox)
