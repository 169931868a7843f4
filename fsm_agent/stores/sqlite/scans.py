"""Reads that take long: in a thread, on a connection of their own.

A reader of the write-ahead log neither waits for writers nor lets them wait. So what looks at a million rows holds up
nobody but its caller: not the event loop, since SQLite lets go of Python while it searches, and no other process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from fsm_agent.concurrency import event_loop
from fsm_agent.stores.sqlite.connection import Connection

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

#: How many run at once: a short one need not wait for the longest.
_THREADS: Final = 2


class Scans:
    """Runs reads, each in one consistent view. Belongs to one loop, or to a process that has none."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._threads: ThreadPoolExecutor | None = None

    async def read(self, look: Callable[[Connection], T]) -> T:
        """What ``look`` finds. Without a loop it looks here: then there is nobody who would have to wait."""
        if not event_loop.is_running():
            return self._look(look)
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        self._threads = self._threads or ThreadPoolExecutor(_THREADS, thread_name_prefix="fsm-agent-sqlite-scan")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._look, look)

    def close(self) -> None:
        """End what still runs."""
        for db in tuple(self._busy):
            db.interrupt()
        if self._threads:
            self._threads.shutdown(cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    def _look(self, look: Callable[[Connection], T]) -> T:
        db = self._idle.pop() if self._idle else self._connect()
        self._busy.add(db)
        try:
            db.execute("BEGIN")
            return look(db)
        finally:
            if db.in_transaction:
                db.execute("COMMIT")
            self._busy.discard(db)
            self._idle.append(db)
