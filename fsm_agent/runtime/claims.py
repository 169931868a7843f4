"""What a worker does with the agents of a store: it takes many that are due, and drives those that it has taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.engine import delivery
from fsm_agent.engine.transaction import Driver
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.processes import this_process
from fsm_agent.stores.base import Store


class Driven(NamedTuple):
    """What driving an agent has come to."""

    #: nothing was changed, though the agent was due; it is still held
    is_vain: bool
    #: why the agent was left to others: its action is missing here
    missing: str | None
    #: where the agent is
    workflow: str
    definition: str
    state: str


class Claims:
    """See the module."""

    def __init__(self, store: Store, loop: CommandLoop) -> None:
        self._store = store
        self._loop = loop

    async def take(
        self,
        limit: int,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        """``Store.take`` for this process. Whoever takes an agent drives it, or releases it."""
        lease = Lease(this_process(), await self._store.now() + self._loop.lease_ms)
        return await self._store.take(limit, lease, workflows=workflows, without=without)

    async def drive(self, claimed: Claimed) -> Driven:
        """Go on with an agent that was taken, until it waits, ends, backs off or is left to others."""
        turn: delivery.Turn = await self._loop.run(delivery.go_on(self._driver(), claimed))
        return await self._driven(turn.delivered, is_vain=turn.is_vain)

    async def resume(self, agent_id: str) -> Driven:
        """Go on with an agent that nobody has taken, in the same way; raises ``LeaseHeld``. Nobody is woken: whoever
        resumes an agent that was told to it looks after it, or its wake-ups would never end."""
        delivered = await self._loop.run(delivery.resume(self._driver(), agent_id))
        return await self._driven(delivered, wakes=False)

    async def release(self, claimed: Claimed) -> None:
        """Give an agent back that was taken."""
        await self._store.release(claimed.agent_id, claimed.epoch)

    def _driver(self) -> Driver:
        return self._loop.driver(stays=False, parks_missing=False)

    async def _driven(self, delivered: delivery.Delivered, *, is_vain: bool = False, wakes: bool = True) -> Driven:
        aggregate = delivered.aggregate
        if not is_vain and aggregate.missing is None:
            await self._loop.concluded(delivered, wakes=wakes)
        head = aggregate.head
        return Driven(is_vain, aggregate.missing, head.workflow, head.definition, head.state)
