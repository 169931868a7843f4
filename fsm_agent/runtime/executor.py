"""The port for work that takes time: actions and waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from fsm_agent.concurrency import event_loop
from fsm_agent.domain.agent import Head
from fsm_agent.engine.commands import Act, Acted

if TYPE_CHECKING:
    from fsm_agent.runtime.telemetry import Telemetry


class Executor(Protocol):
    """Calls actions, and waits."""

    def act(self, command: Act) -> Awaitable[Acted]:
        """Call an action once; raises ``Superseded`` if the agent is taken over meanwhile."""

    def sleep(self, head: Head, until_ms: int) -> Awaitable[int]:
        """Wait until the store's clock shows ``until_ms``; returns its time then."""

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Stop the execution of an agent here, if it has an earlier epoch than ``epoch``."""

    async def settled(self, agent_id: str) -> None:
        """Wait until no execution of an agent runs here."""

    def drain(self) -> None:
        """Begin no execution any more. An agent whose action would be next is released, as if somebody else had taken
        it over, so that another process goes on with it."""

    async def close(self) -> None:
        """Stop all executions, release their leases, and begin nothing any more."""


class LazyExecutor:
    """Makes the real executor for the first action or wait. A process that only delivers events needs no event loop."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._executor: Executor | None = None
        self._is_draining = False
        self._is_closed = False

    def act(self, command: Act) -> Awaitable[Acted]:
        return self._first_act(command) if self._executor is None else self._executor.act(command)

    def sleep(self, head: Head, until_ms: int) -> Awaitable[int]:
        return self._first_sleep(head, until_ms) if self._executor is None else self._executor.sleep(head, until_ms)

    def interrupt(self, agent_id: str, epoch: int) -> None:
        if self._executor is not None:
            self._executor.interrupt(agent_id, epoch)

    async def settled(self, agent_id: str) -> None:
        if self._executor is not None:
            await self._executor.settled(agent_id)

    def drain(self) -> None:
        self._is_draining = True
        if self._executor is not None:
            self._executor.drain()

    async def close(self) -> None:
        self._is_closed = True
        if self._executor is not None:
            await self._executor.close()

    async def _first_act(self, command: Act) -> Acted:
        return await (await self._made()).act(command)

    async def _first_sleep(self, head: Head, until_ms: int) -> int:
        return await (await self._made()).sleep(head, until_ms)

    async def _made(self) -> Executor:
        await event_loop.reach()
        if self._executor is None:
            self._executor = self._make()
            if self._is_draining:
                self._executor.drain()
            if self._is_closed:
                await self._executor.close()  # then the lease is released, and nothing begins
        return self._executor


def traced(executor: Executor, telemetry: Telemetry | None) -> Executor:
    """``executor``, whose attempts are recorded if there is ``telemetry``. It must not be a lazy one: what begins
    without an event loop goes on in another thread, and a span has to end where it began."""
    return executor if telemetry is None else telemetry.traced(executor)
