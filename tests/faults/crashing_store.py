"""A store that ends its process after a given number of writes."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from fsm_agent.domain.json import Json
from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.testing.faults.store import FaultyStore

T = TypeVar("T")

#: The verbs that write; all others only read.
WRITES: Final = frozenset(
    {
        *("adopt", "append", "begin_effect", "claim", "commit", "create", "delete", "end_effect", "enqueue"),
        *(
            "record_attempt",
            "reindex",
            "release",
            "renew",
            "renew_all",
            "retract",
            "revise",
            "save_user",
            "save_workflow",
            "shorten",
            "take",
        ),
    }
)


class Killed(BaseException):
    """The process was killed."""


def be_killed() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")


def raise_killed() -> NoReturn:
    raise Killed


class CrashingStore(FaultyStore):
    """Passes every verb on to ``inner`` until ``last`` of them have written. Nothing is done after that."""

    def __init__(self, inner: Store, last: int | None = None, *, end: Callable[[], NoReturn] = raise_killed) -> None:
        ForwardingStore.__init__(self, inner)
        self._last = last
        self._end = end
        self._newest_ms = 0
        #: the verbs that have written
        self.writes: list[str] = []

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        await self._write("save_workflow", {}, lambda: self._store.save_workflow(definition_hash, definition))

    async def _write(
        self,
        verb: str,
        facts: Mapping[str, Any],
        work: Callable[[], Awaitable[T]],
        describe: Callable[[T], Mapping[str, Any]] | None = None,
    ) -> T:
        await self._check_alive()
        reply = await work()
        self.writes.append(verb)
        await self._check_alive()
        return reply

    async def _check_alive(self) -> None:
        if self._last is not None and len(self.writes) >= self._last:
            self._end()
