"""Parents and children: agents that were started as part of another agent's work.

A child is an agent like any other, with an id that says whose it is. When its parent leaves the state that started it,
it is cancelled; when it ends, its parent is woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from fsm_agent.actions.kinship import CHILDREN, Order
from fsm_agent.agent import ENDED, Agent, Head, Parent, Status, child_id
from fsm_agent.effect import EffectEntry
from fsm_agent.engine import beginning, intake
from fsm_agent.engine.effects import Superseded
from fsm_agent.engine.program import Program
from fsm_agent.engine.session import Desk, Flow
from fsm_agent.errors import AgentNotFound, Conflict, IllegalEvent, LeaseHeld
from fsm_agent.step import Event
from fsm_agent.stores.base import Store
from fsm_agent.workflow import Workflow


class Loop(Protocol):
    """What is needed of the loop that performs flows."""

    def desk(self, *, drives: bool = True, stays: bool = True) -> Desk: ...

    async def pin(self, workflow: Workflow) -> Program: ...

    async def call(self, flow: Flow) -> Agent: ...


class Kin:
    """Starts, drives and cancels the children of the agents that a runner drives."""

    def __init__(self, store: Store, loop: Loop) -> None:
        self._store = store
        self._loop = loop

    async def begin(self, head: Head) -> None:
        """Note that an agent is going to have children, so that they are cancelled when it goes on without them.
        Raises ``Superseded`` if somebody else drives it."""
        try:
            await self._store.record_attempt(
                head.id, head.epoch, attempts=head.attempts, retry_ms=None, children=head.activation
            )
        except Conflict:
            raise Superseded from None

    async def start(self, head: Head, number: int, order: Order) -> Head:
        """The child of that number, which is started if it is not there yet; not driven. Raises ``Refused``, and
        ``Superseded`` if the parent has gone on meanwhile: then the child is cancelled."""
        ident = child_id(head.id, head.activation, number)
        try:
            return await self._store.head(ident)
        except AgentNotFound:
            program = await self._loop.pin(order.workflow)
        serves = beginning.Serves(order.user, Parent(head.id, head.activation, number))
        first = Event(order.event, order.payload, head.id, f"child {ident}")
        await self._loop.call(
            beginning.start(self._loop.desk(drives=False), program, ident, first, order.data, serves=serves)
        )
        if (await self._store.head(head.id)).epoch != head.epoch:
            await self._cancel(ident, head.id)
            raise Superseded
        return await self._store.head(ident)

    async def drive(self, child: Head) -> Head:
        """Drive a child as far as it goes; the head as it stands then. One that somebody else drives is left alone."""
        if child.status in ENDED or child.status is Status.PARKED:
            return child
        with suppress(LeaseHeld, Conflict):
            await self._loop.call(intake.resume(self._loop.desk(stays=False), child.id))
        return await self._store.head(child.id)

    async def cancel(self, head: Head, count: int) -> list[Head]:
        """Cancel those of ``count`` children that have not ended; all that are there, as they stand then."""
        heads = []
        for number in range(1, count + 1):
            ident = child_id(head.id, head.activation, number)
            await self._cancel(ident, head.id)
            with suppress(AgentNotFound):
                heads.append(await self._store.head(ident))
        return heads

    async def disband(self, parent_id: str, activation: int) -> None:
        """Cancel all children of an activation that was left."""
        entries: Sequence[EffectEntry] = await self._store.effects(parent_id, activation=activation)
        for since, count in children_of(entries):
            for number in range(1, count + 1 if since == activation else 1):
                await self._cancel(child_id(parent_id, activation, number), parent_id)

    async def _cancel(self, ident: str, by: str) -> None:
        """Nothing is to be done for one that is not there or has ended by now."""
        flow = intake.send(self._loop.desk(), ident, Event("cancel", by=by))
        try:
            await self._loop.call(flow)
        except (AgentNotFound, IllegalEvent):
            return

    async def wake_parent(self, child: Head) -> str | None:
        """Let the parent of a child that has ended know, if it waits for that; returns its id if nobody drives it."""
        if child.parent is None or child.status not in ENDED:
            return None
        try:
            above = await self._store.head(child.parent.id)
            is_waiting = above.status is Status.RUNNING and above.activation == child.parent.activation
            if not is_waiting or above.lease is not None:
                return None
            await self._store.record_attempt(above.id, above.epoch, attempts=above.attempts, retry_ms=None)
        except (AgentNotFound, Conflict):
            return None
        return above.id


def children_of(entries: Sequence[EffectEntry]) -> list[tuple[int, int]]:
    """Every activation that had children, and how many."""
    return [
        (entry.activation, len(entry.result))
        for entry in entries
        if entry.name == CHILDREN and isinstance(entry.result, list)
    ]
