"""Wake-ups: telling whoever drives agents that one of them is left to them.

No agent depends on a wake-up: the store knows who is due, and each worker looks there by itself from time to time. A
wake-up only makes it faster. So it may be lost, late, early or repeated, and it is sent after a commit, never within.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from fsm_agent.concurrency import event_loop
from fsm_agent.domain.agent import Status
from fsm_agent.engine.delivery import Delivered
from fsm_agent.errors import EngineUnavailable
from fsm_agent.runtime.processes import this_process
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("fsm_agent")

#: how long a wake-up may take
WAKE_S: Final = 2
_MINUTE_S: Final = 60
#: how long nothing is sent after a failure
_PAUSE_S: Final = 5


class Wakeups(ABC):
    """Sends wake-ups. Whoever makes one closes what it has opened."""

    #: whether ``wake`` needs an event loop, as ``Store.needs_loop`` says it of a store
    needs_loop: bool = True

    @abstractmethod
    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        """Tell workers that an agent needs somebody: now, or at ``at_ms`` of the store's clock.

        The message may be lost, late, early or repeated. Takes at most ``WAKE_S`` seconds and never raises, whatever
        happens to it: the agent's step is committed, and its caller is told so.
        """


class SentWakeups(Wakeups):
    """Wake-ups that are messages to somewhere: ``send`` may fail or hang, and ``wake`` bounds it and logs that. After a
    failure nothing is sent for a while, so that not every caller waits for a place that is away."""

    def __init__(self, place: str, *, warn_again_s: float = _MINUTE_S, pause_s: float = _PAUSE_S) -> None:
        """``place`` is named in the log; it shows no password."""
        self._pause_s = pause_s
        self._quiet_until_s = -math.inf
        self.outage = OutageLog(
            f"agents that are due cannot be told to {place}, and wait for the next sweep", again_s=warn_again_s
        )

    @abstractmethod
    async def send(self, agent_id: str, at_ms: int | None) -> None:
        """Send the message. May raise anything, and is cancelled after ``WAKE_S`` seconds."""

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        if time.monotonic() < self._quiet_until_s:
            return
        try:
            async with _bound():
                await self.send(agent_id, at_ms)
        except BaseException as error:
            if _is_told_to_stop(error):
                raise
            self._quiet_until_s = time.monotonic() + self._pause_s
            self.outage.begins(error)
        else:
            self.outage.ends()


class StoreBell(SentWakeups):
    """Rings the bell of the store, which every worker on its namespace hears. It rings only for what is due now, and
    wake-ups that come while it rings share the next ring."""

    def __init__(self, store: Store) -> None:
        super().__init__("workers by the bell of their store", warn_again_s=math.inf, pause_s=0)
        self.needs_loop = store.needs_loop
        self._store = store
        self._turn: asyncio.Lock | None = None
        #: how many rings were asked for, and how many of these have been heard
        self._asked = self._rung = 0

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        if at_ms is None:
            await super().wake(agent_id)

    async def send(self, agent_id: str, at_ms: int | None) -> None:  # noqa: ARG002 - a bell names nobody
        if not event_loop.is_running():
            await self._store.ring()
            return
        if self._turn is None:
            import asyncio

            self._turn = asyncio.Lock()
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._rung < mine:
                await self._ring()

    async def _ring(self) -> None:
        """Ring for all who have asked until now. If that fails, it is lost for all of them."""
        covers = self._asked
        try:
            await self._store.ring()
        except Exception:
            self._rung = covers
            raise
        self._rung = covers


class OutageLog:
    """Says that something does not work: once, and once more whenever ``again_s`` have passed."""

    def __init__(self, what: str, *, again_s: float = _MINUTE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._again_s = again_s
        self._clock = clock
        self._said_s = -math.inf

    def begins(self, error: BaseException) -> None:
        """It does not work now."""
        now_s = self._clock()
        if now_s - self._said_s < self._again_s:
            return
        self._said_s = now_s
        logger.warning("%s: %s", self._what, _said(error), extra={"action": "wakeups_failed"})

    def ends(self) -> None:
        """It works: the next outage is news."""
        self._said_s = -math.inf


async def hand_over(wakeups: Wakeups, delivered: Delivered) -> None:
    """Wake others for an agent that a call leaves with work, unless it is driven here."""
    aggregate = delivered.aggregate
    head = aggregate.head
    # who commits a step from outside ends the lease, though the head still has it
    is_written_here = delivered.is_current and delivered.delivery in ("applied", None)
    lease = None if is_written_here else head.lease
    needs_operator = head.status is Status.PARKED and head.wake_ms is None
    if needs_operator or (lease is not None and lease.holder == this_process()):
        return
    due_ms = max(head.wake_ms or 0, lease.until_ms if lease else 0)
    if wakeups.needs_loop:
        await event_loop.reach()
    await wakeups.wake(head.id, due_ms if due_ms > aggregate.now_ms else None)


def _bound() -> asyncio.Timeout | nullcontext[None]:
    """Ends what takes too long. What runs without a loop waits for nothing."""
    if not event_loop.is_running():
        return nullcontext()
    import asyncio

    return asyncio.timeout(WAKE_S)


def _is_told_to_stop(error: BaseException) -> bool:
    if isinstance(error, Exception):
        return False
    from fsm_agent.concurrency.cancellation import is_told_to_stop

    return is_told_to_stop(error)


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"no answer within {WAKE_S} s"
    if isinstance(error, EngineUnavailable):
        return error.why
    return str(error) or type(error).__name__
