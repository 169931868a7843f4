"""Reads that take long: in a thread, on a connection of their own.

A reader of the write-ahead log neither waits for writers nor lets them wait. So what looks at a million rows holds up
nobody but its caller: not the event loop, since SQLite lets go of Python while it searches, and no other process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import apsw

from fsm_agent.concurrency import event_loop
from fsm_agent.stores.sqlite.connection import Connection

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")

#: How many run at once: a short one need not wait for the longest.
_THREADS: Final = 2
#: How soon a read is told again to end: told between two statements, it does not hear.
_AGAIN_S: Final = 0.01


class Scans:
    """Runs reads, each in one consistent view. Belongs to one loop, or to a process that has none."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._threads: ThreadPoolExecutor | None = None
        self._running: set[Future[Any]] = set()
        self._is_closed = False

    async def read(self, look: Callable[[Connection], T]) -> T:
        """What ``look`` finds. Without a loop it looks here: then there is nobody who would have to wait."""
        if self._is_closed:
            raise apsw.ConnectionClosedError
        if not event_loop.is_running():
            return self._look(look)
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        self._threads = self._threads or ThreadPoolExecutor(_THREADS, thread_name_prefix="fsm-agent-sqlite-scan")
        running = self._threads.submit(self._look, look)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if self._is_closed and running.cancelled():  # it had not begun
                raise apsw.ConnectionClosedError from None
            raise

    def close(self) -> None:
        """End what still runs: its caller is told that the store is closed."""
        self._is_closed = True
        if self._threads:
            from concurrent.futures import wait

            self._threads.shutdown(wait=False, cancel_futures=True)
            while running := tuple(self._running):
                for db in tuple(self._busy):
                    db.interrupt()
                wait(running, _AGAIN_S)
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
