"""Parents and children: agents that were started as part of another agent's work.

A child is an agent like any other, with an id that says whose it is: so whichever process goes on with the parent
finds it. When its parent leaves the state that started it, it is cancelled; when it ends, its parent is woken. Both
are on record as due until they are done.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from fsm_agent.actions.kinship import Order
from fsm_agent.agent import CHILDREN, ENDED, Head, Parent, Status, child_id
from fsm_agent.engine import beginning, intake
from fsm_agent.engine.effects import Superseded
from fsm_agent.engine.session import Desk, Flow
from fsm_agent.errors import ActionError, AgentExists, AgentNotFound, Conflict, IllegalEvent, LeaseHeld, Refused
from fsm_agent.orphans import without_orphan
from fsm_agent.step import Event
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program
    from fsm_agent.workflow import Workflow

logger = logging.getLogger("fsm_agent")


class Loop(Protocol):
    """What is needed of the loop that performs flows."""

    def desk(self, *, drives: bool = True, stays: bool = True, tells: bool = True) -> Desk: ...

    async def pin(self, workflow: Workflow) -> Program: ...

    async def run(self, flow: Flow) -> Any: ...


class Kin:
    """Starts, drives and cancels the children of the agents that a runner drives."""

    def __init__(self, store: Store, loop: Loop) -> None:
        self._store = store
        self._loop = loop

    async def look(self, head: Head, count: int) -> Sequence[Head | None]:
        """The first ``count`` children, as they stand. Raises ``ActionError`` if one's id is somebody else's."""
        return [await self._child(Parent(head.id, head.activation, number)) for number in range(1, count + 1)]

    async def start(self, head: Head, number: int, order: Order, *, stays: bool) -> Head:
        """Start a child and drive it. Raises ``Superseded`` if somebody else looks after the parent by now; should
        that happen just then, the child finds out itself that nobody waits for it."""
        await self._insist(head)
        parent = Parent(head.id, head.activation, number)
        program = await self._loop.pin(order.workflow)
        first, serves = Event(order.event, order.payload, head.id), beginning.Serves(order.user, parent)
        desk = self._loop.desk(stays=stays, tells=False)
        with suppress(AgentExists):
            await self._loop.run(
                beginning.start(desk, program, child_id(*parent), first, order.data, serves=serves),
            )
        return await self._known(parent)

    async def drive(self, child: Head, *, stays: bool) -> Head:
        """Drive a child as far as it goes; one that somebody else drives is left alone."""
        with suppress(LeaseHeld, Conflict):
            await self._loop.run(intake.resume(self._loop.desk(stays=stays, tells=False), child.id))
        return await self._store.head(child.id)

    async def cancel(self, child: Head) -> None:
        """Cancel a child as its workflow declares. One that has ended has ended; one whose guards refuse goes on to
        its own end, and nobody waits for it."""
        event = Event("cancel", by=child.parent and child.parent.id)
        try:
            await self._loop.run(intake.send(self._loop.desk(stays=False, tells=False), child.id, event))
        except (AgentNotFound, IllegalEvent):
            return
        except Refused as refusal:
            facts = {"action": "child_not_cancelled", "agent_id": child.id}
            logger.info("child %s is not cancelled: %s", child.id, refusal, extra=facts)

    async def disband(self, parent_id: str, activation: int) -> None:
        """Cancel all children of an activation that was left."""
        entries = await self._store.effects(parent_id, activation=activation)
        items = [entry.result for entry in entries if (entry.activation, entry.name) == (activation, CHILDREN)]
        for number in range(1, 1 + sum(len(each) for each in items if isinstance(each, list))):
            with suppress(ActionError):  # somebody else's
                child = await self._child(Parent(parent_id, activation, number))
                if child is not None and child.status not in ENDED:
                    await self.cancel(child)

    async def tell(self, parent: Parent) -> bool:
        """Wake a parent that waits for a child. False if it is at work, so that it may not have seen how it ended."""
        try:
            above = await self._store.head(parent.id)
            if above.activation != parent.activation or above.status is not Status.RUNNING:
                return True
            above = await without_orphan(self._store, above, await self._store.now())
            if above.lease is not None:
                return False
            await self._store.record_attempt(above.id, above.epoch, attempts=above.attempts, retry_ms=None)
        except AgentNotFound:
            return True
        except Conflict:
            return False
        return True

    async def _insist(self, head: Head) -> None:
        """Whoever does no longer drive the parent starts nothing any more."""
        try:
            now = await self._store.head(head.id)
        except AgentNotFound:
            raise Superseded from None
        if now.epoch != head.epoch:
            raise Superseded

    async def _known(self, parent: Parent) -> Head:
        child = await self._child(parent)
        if child is None:
            raise AgentNotFound(child_id(*parent), self._store.namespace)
        return child

    async def _child(self, parent: Parent) -> Head | None:
        ident = child_id(*parent)
        try:
            child = await self._store.head(ident)
        except AgentNotFound:
            return None
        if child.parent != parent:
            raise ActionError(f"agent {ident!r} is in the way: it was not started by {parent.id!r}, whose child it is")
        return child
