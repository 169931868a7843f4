"""Group commit: what is written during one turn of the event loop becomes one transaction.

A task that writes again, with nobody having written in between, does not even wait for the turn to end: alone it
would only wait for itself. A thread hop costs as much as a small commit, so the loop commits by itself as long as
that is cheap. When another process holds the database, when commits take long, or when anything fails, the work
goes to one thread, which has the patience to wait and to try unit by unit. Nobody learns a result before it is
durable.

Commits of one unit and those of many have a pace of their own: what a thousand new agents take says nothing of the
step that comes after them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import apsw

from fsm_agent.concurrency import event_loop
from fsm_agent.stores.sqlite.connection import Connection
from fsm_agent.stores.sqlite.transaction import Clock, Settled, Unit, commit_together, settle

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

#: How long the loop stands still for a reader's sake, while another process recovers the file. Writing does not wait.
LOOP_BUSY_MS: Final = 2_000

#: The loop commits by itself while COMMIT alone takes less on average. (Whole batches would mislead: they grow.)
_CHEAP_S: Final = 0.001
#: Long enough that the checkpoint of every thousandth page does not look like a slow disk.
_COMMITS_AVERAGED: Final = 64
#: As many quick ones in a row are no accident.
_QUICK_IN_A_ROW: Final = 8


class Waiting(NamedTuple):
    unit: Unit[Any]
    outcome: asyncio.Future[Any]


class Pace:
    """Whether COMMIT is cheap enough for the loop to wait for it: while it takes ``cheap_s`` at most on average.

    After that it is cheap again as soon as some in a row were. An average alone would remember one long stall for
    hundreds of commits.
    """

    def __init__(self, cheap_s: float) -> None:
        self._cheap_s = cheap_s
        self._average_s = 0.0
        self._quick_in_a_row = 0

    @property
    def is_cheap(self) -> bool:
        return self._average_s <= self._cheap_s

    def note(self, commit_s: float) -> None:
        self._average_s += (commit_s - self._average_s) / _COMMITS_AVERAGED
        self._quick_in_a_row = self._quick_in_a_row + 1 if commit_s <= self._cheap_s else 0
        if self._average_s > self._cheap_s and self._quick_in_a_row >= _QUICK_IN_A_ROW:
            self._average_s = commit_s


class GroupCommit:
    """Writes units through ``db``, or through ``connect_patiently()`` in a thread. Belongs to one loop."""

    def __init__(
        self,
        db: Connection,
        connect_patiently: Callable[[], Connection],
        *,
        cheap_s: float = _CHEAP_S,
        clock: Clock = perf_counter,
    ) -> None:
        self._db = db
        self._connect_patiently = connect_patiently
        self._clock = clock
        self._alone, self._together = Pace(cheap_s), Pace(cheap_s)
        self._queue: list[Waiting] = []
        self._thread: ThreadPoolExecutor | None = None
        self._patient_db: Connection | None = None
        self._handed_over: asyncio.Future[Settled] | None = None
        self._last_writer: asyncio.Task[Any] | None = None
        self._is_closed = False

    async def write(self, unit: Unit[T]) -> T:
        """Run ``unit`` in a transaction and return its result once that is durable.

        A caller that is cancelled meanwhile does not know whether the unit was committed; it was, or not at all.
        """
        if self._is_closed:
            raise apsw.ConnectionClosedError
        writer = event_loop.current_task()
        if writer is None:  # no loop runs, so nobody else writes here now
            if settled := self._commit_here([unit]):
                return cast("T", _result(settled))
            await event_loop.reach()
            writer = event_loop.current_task()
        is_alone, self._last_writer = writer is self._last_writer and not self._queue, writer
        if is_alone and (settled := self._commit_here([unit])):
            return cast("T", _result(settled))
        import asyncio

        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append(Waiting(unit, outcome))
        return await outcome

    async def close(self) -> None:
        """Finish what is queued, and end the thread."""
        self._is_closed = True
        while self._queue or self._handed_over:
            self._flush()
            if self._handed_over:
                import asyncio

                await asyncio.wait([self._handed_over])
        if self._thread:
            self._thread.shutdown()
        if self._patient_db:
            self._patient_db.close()

    def _flush(self) -> None:
        """Commit the queue, unless the thread is at work: then it is flushed when the thread is done."""
        if self._handed_over or not self._queue:
            return
        batch, self._queue = self._queue, []
        if settled := self._commit_here([unit for unit, _ in batch]):
            self._deliver(batch, settled)
        else:
            self._hand_over(batch)

    def _commit_here(self, units: Sequence[Unit[Any]]) -> Settled | None:
        """Commit on the loop's own connection; ``None`` if it would not be cheap, or failed and left nothing."""
        pace = self._pace_of(units)
        if self._handed_over or not pace.is_cheap:
            return None
        self._db.set_busy_timeout(0)
        try:
            settled = commit_together(self._db, units, self._clock)
        except Exception:  # the thread meets it again, and finds out whose it is
            return None
        finally:
            self._db.set_busy_timeout(LOOP_BUSY_MS)
        if settled.commit_s is not None:
            pace.note(settled.commit_s)
        return settled

    def _pace_of(self, units: Sequence[Unit[Any]]) -> Pace:
        return self._alone if len(units) == 1 else self._together

    def _hand_over(self, batch: Sequence[Waiting]) -> None:
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="fsm-agent-sqlite")
        units = [unit for unit, _ in batch]
        self._handed_over = asyncio.get_running_loop().run_in_executor(self._thread, self._settle, units)
        self._handed_over.add_done_callback(partial(self._take_back, batch, units))

    def _settle(self, units: Sequence[Unit[Any]]) -> Settled:
        self._patient_db = self._patient_db or self._connect_patiently()
        return settle(self._patient_db, units, self._clock)

    def _take_back(
        self, batch: Sequence[Waiting], units: Sequence[Unit[Any]], handed_over: asyncio.Future[Settled]
    ) -> None:
        self._handed_over = None
        error = handed_over.exception()
        settled = Settled([error] * len(batch), None) if error else handed_over.result()
        if settled.commit_s is not None:
            self._pace_of(units).note(settled.commit_s)
        self._deliver(batch, settled)
        self._flush()

    def _deliver(self, batch: Sequence[Waiting], settled: Settled) -> None:
        for (_, outcome), result in zip(batch, settled.outcomes, strict=True):
            if outcome.done():  # its caller was cancelled
                continue
            if isinstance(result, BaseException):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)


def _result(settled: Settled) -> Any:
    """What became of the only unit."""
    (outcome,) = settled.outcomes
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
