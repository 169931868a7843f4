"""What takes time in driving an agent, as the loop of effects needs it: calling actions, and waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from fsm_agent.concurrency import event_loop
from fsm_agent.domain.agent import Head
from fsm_agent.engine.commands import Act, Acted


class Executor(Protocol):
    """What takes time: calling actions, and waiting."""

    def act(self, effect: Act) -> Awaitable[Acted]:
        """Call an action once; raises ``Superseded`` if the agent is taken over meanwhile."""

    def sleep(self, head: Head, until_ms: int) -> Awaitable[int]:
        """Wait until the store's clock shows ``until_ms``; returns what it shows then."""

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Stop what runs for an agent here under an epoch before this one, if anything does."""

    async def settled(self, agent_id: str) -> None:
        """Wait until nothing runs for an agent here."""

    async def close(self) -> None:
        """Stop what still runs, give its leases up, and begin nothing any more."""


class LazyExecutor:
    """Hands that are made for the first action or wait, within an event loop. A process that only delivers events
    needs neither them nor a loop."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._hands: Executor | None = None
        self._is_closed = False

    def act(self, effect: Act) -> Awaitable[Acted]:
        return self._first_act(effect) if self._hands is None else self._hands.act(effect)

    def sleep(self, head: Head, until_ms: int) -> Awaitable[int]:
        return self._first_sleep(head, until_ms) if self._hands is None else self._hands.sleep(head, until_ms)

    def interrupt(self, agent_id: str, epoch: int) -> None:
        if self._hands is not None:
            self._hands.interrupt(agent_id, epoch)

    async def settled(self, agent_id: str) -> None:
        if self._hands is not None:
            await self._hands.settled(agent_id)

    async def close(self) -> None:
        self._is_closed = True
        if self._hands is not None:
            await self._hands.close()

    async def _first_act(self, effect: Act) -> Acted:
        return await (await self._made()).act(effect)

    async def _first_sleep(self, head: Head, until_ms: int) -> int:
        return await (await self._made()).sleep(head, until_ms)

    async def _made(self) -> Executor:
        await event_loop.reach()
        if self._hands is None:
            self._hands = self._make()
            if self._is_closed:
                await self._hands.close()  # so that it gives the lease up instead of beginning
        return self._hands
