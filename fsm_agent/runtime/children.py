"""Parents and children: agents that were started as part of another agent's work.

A child is an ordinary agent whose id names its parent, so any process that continues the parent finds it. When its
parent leaves the state that started it, it is cancelled. When it ends, its parent is woken. Both duties are recorded
until they are done.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import gcd
from typing import TYPE_CHECKING, Any, Final, Protocol

from fsm_agent.actions.children import ChildSpec
from fsm_agent.domain.agent import CHILDREN, ENDED, Agent, Head, Parent, Status, child_id
from fsm_agent.domain.step import Event
from fsm_agent.engine import delivery
from fsm_agent.engine import start as beginning
from fsm_agent.engine.commands import ReadWorkflow, Superseded
from fsm_agent.engine.transaction import Driver, Flow
from fsm_agent.errors import (
    ActionError,
    AgentExists,
    AgentNotFound,
    Conflict,
    FsmAgentError,
    IllegalEvent,
    LeaseHeld,
    Refused,
)
from fsm_agent.runtime.orphans import without_orphan
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.runtime.programs import Programs

#: limit of families in the cache
_MOST_FAMILIES: Final = 64
#: limit of missing children that are read while a living one is sought
_MOST_MISSING: Final = 8

logger = logging.getLogger("fsm_agent")


class Loop(Protocol):
    """The part of the command loop that children need."""

    def driver(self, *, drives: bool = True, stays: bool = True, notifies_parents: bool = True) -> Driver: ...

    @property
    def programs(self) -> Programs: ...

    async def run(self, flow: Flow) -> Any: ...

    async def call(self, flow: Flow, *, drives: bool = True, wakes: bool = True) -> Agent: ...


class Family:
    """What is known of the children of one activation."""

    __slots__ = ("alive", "count", "ended")

    def __init__(self) -> None:
        #: how many there will be, once it is known
        self.count: int | None = None
        #: number -> a child that has ended; if an operator changes it later, that is seen when all are joined
        self.ended: dict[int, Head] = {}
        #: number of a child that was alive when it was last read; 0 is none
        self.alive = 0


class ChildDriver:
    """Starts, drives and cancels the children of the agents that a runner drives."""

    def __init__(self, store: Store, loop: Loop) -> None:
        self._store = store
        self._loop = loop
        self._known_families: OrderedDict[tuple[str, int], Family] = OrderedDict()

    async def read(self, head: Head, count: int, *, gap: int | None = None) -> Sequence[Head | None]:
        """The first ``count`` children. Raises ``ActionError`` if an id belongs to another agent.

        Without ``gap`` all are read. With it, children that have ended are not read again, and reading stops after so
        many that are not started. So a look at a large family costs only as much as may have changed in it.
        """
        family = self._family(head.id, head.activation)
        if gap is None:
            family.ended.clear()
        found: list[Head | None] = []
        missing = 0
        while len(found) < count and (gap is None or missing <= gap):
            found.append(child := await self._member(family, Parent(head.id, head.activation, len(found) + 1)))
            missing = missing + 1 if child is None else 0
        return found + [None] * (count - len(found))

    async def start(self, head: Head, number: int, spec: ChildSpec, *, stays: bool) -> Head:
        """Start a child and drive it. Raises ``Superseded`` if another process drives the parent by now. If that
        happens just then, the child itself finds out that nobody waits for it."""
        await self._insist(head)
        parent = Parent(head.id, head.activation, number)
        program = await self._loop.programs.save(spec.workflow)
        first, serves = Event(spec.event, spec.payload, head.id), beginning.Serves(spec.user, parent)
        driver = self._loop.driver(stays=stays, notifies_parents=False)
        with suppress(AgentExists):
            await self._loop.run(
                beginning.start(driver, program, child_id(*parent), first, spec.data, serves=serves),
            )
        return await self._known(parent)

    async def drive(self, child: Head, *, stays: bool) -> Head:
        """Drive a child as far as it can go; a child that another process drives is left alone."""
        with suppress(LeaseHeld, Conflict):
            await self._loop.run(delivery.resume(self._loop.driver(stays=stays, notifies_parents=False), child.id))
        return await self._store.head(child.id)

    async def cancel(self, child: Head) -> None:
        """Cancel a child as its workflow declares. A child that has ended is left alone. If its guards refuse, it goes
        on to its own end, and nobody waits for it."""
        event = Event("cancel", by=child.parent and child.parent.id)
        try:
            await self._loop.run(delivery.send(self._loop.driver(stays=False, notifies_parents=False), child.id, event))
        except (AgentNotFound, IllegalEvent):
            return
        except Refused as refusal:
            facts = {"action": "child_not_cancelled", "agent_id": child.id}
            logger.info("child %s is not cancelled: %s", child.id, refusal, extra=facts)

    async def cancel_children(self, parent_id: str, activation: int) -> None:
        """Cancel all children of an activation that has ended."""
        self._known_families.pop((parent_id, activation), None)
        for number in range(1, 1 + await self._count(Parent(parent_id, activation, 0))):
            with suppress(ActionError):  # the id belongs to another agent
                child = await self._child(Parent(parent_id, activation, number))
                if child is not None and child.status not in ENDED:
                    await self.cancel(child)

    async def notify_parent(self, parent: Parent) -> bool:
        """Wake the parent of a child that has ended, unless a sibling will wake it later. Returns False if the parent
        is at work, since it may not have seen the end."""
        try:
            above = await self._store.head(parent.id)
            if above.activation != parent.activation or above.status is not Status.RUNNING:
                return True
            above = await without_orphan(self._store, above, await self._store.now())
            if await self._is_left(above, parent):
                return True
            if above.lease is not None:
                return False
            await self._store.record_attempt(above.id, above.epoch, attempts=above.attempts, retry_ms=None)
        except AgentNotFound:
            return True
        except Conflict:
            return False
        return True

    async def drive_parent(self, parent_id: str) -> None:
        """Drive a parent that waits for its children. If that fails here, another process does it later."""
        try:
            wake_ms = (await self._store.head(parent_id)).wake_ms
            if wake_ms is not None and wake_ms <= await self._store.now():
                await self._loop.call(delivery.resume(self._loop.driver(stays=False), parent_id), wakes=False)
        except FsmAgentError as error:
            facts = {"action": "parent_not_driven", "agent_id": parent_id}
            logger.info("agent %s could not be driven: %s", parent_id, error, extra=facts)

    async def _is_left(self, above: Head, parent: Parent) -> bool:
        """Whether a sibling will wake the parent when it ends. The last child sees that all others have ended, since
        each one writes its end before it reads the others."""
        family = self._family(parent.id, parent.activation)
        if family.count is None:
            family.count = await self._count(parent)
        if not family.count or not await self._has_alive(family, parent):
            return False
        if await self._member(family, parent._replace(number=family.count)) is None:  # some are not started
            return above.lease is not None  # a parent with more children to start does not rest for long
        return not await self._is_called_off(above, parent)

    async def _has_alive(self, family: Family, parent: Parent) -> bool:
        """Whether a sibling is alive; not all are read."""
        missing = 0
        for number in (family.alive, *_scattered(parent.number, family.count or 0)):
            if number in (0, parent.number):
                continue
            sibling = await self._member(family, parent._replace(number=number))
            if sibling is not None and sibling.status not in ENDED:
                return True
            missing += sibling is None
            if missing > _MOST_MISSING:
                return False
        return False

    async def _is_called_off(self, above: Head, parent: Parent) -> bool:
        """Whether the end of the child means that the others are cancelled."""
        child = await self._child(parent)
        if child is None or child.status is Status.DONE:
            return False
        workflow: Workflow = await self._loop.run(_reading(above.definition))
        return workflow.by_path[above.state].with_.get("on_failure") == "cancel_rest"

    async def _count(self, parent: Parent) -> int:
        """How many children there will be."""
        entries = await self._store.effects(parent.id, activation=parent.activation)
        items = [entry.result for entry in entries if (entry.activation, entry.name) == (parent.activation, CHILDREN)]
        return sum(len(each) for each in items if isinstance(each, list))

    def _family(self, parent_id: str, activation: int) -> Family:
        """What is known here of a family; only the families used last are kept."""
        family = self._known_families.setdefault((parent_id, activation), Family())
        self._known_families.move_to_end((parent_id, activation))
        if len(self._known_families) > _MOST_FAMILIES:
            self._known_families.popitem(last=False)
        return family

    async def _member(self, family: Family, parent: Parent) -> Head | None:
        """A child as it is now, or, if it has ended, as it was then."""
        child = family.ended.get(parent.number) or await self._child(parent)
        if child is not None and child.status in ENDED:
            family.ended[parent.number] = child
        elif child is not None:
            family.alive = parent.number
        return child

    async def _insist(self, head: Head) -> None:
        """Raises ``Superseded`` if this process no longer drives the parent."""
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


def _reading(definition: str) -> Flow:
    return (yield ReadWorkflow(definition))


def _scattered(number: int, count: int) -> Iterator[int]:
    """The numbers from 1 to ``count`` without ``number``, in scattered order. Children often end in order, so a living
    one is found sooner this way."""
    stride = round(count * 0.618) or 1
    while gcd(stride, count) > 1:
        stride += 1
    for turn in range(1, count):
        yield (number - 1 + turn * stride) % count + 1
