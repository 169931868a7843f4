"""Retention: agents are deleted and histories are shortened.

Each change is a compare-and-set on what was read, so an agent that moves meanwhile is left alone. The next turn
finishes what a crash interrupts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Damage, Origin
from fsm_agent.domain.retention import Retention
from fsm_agent.errors import AgentNotFound, KeyMissing, Refused, StoreCorrupt
from fsm_agent.runtime.agent_reads import read_heads
from fsm_agent.runtime.orphans import without_orphan
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: agents that a worker looks at in one sweep, and its rest after it has looked at all
_PER_TURN: Final = 100
_REST_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted; with ``is_dry``, what would be deleted."""

    deleted: list[str] = field(default_factory=list)
    #: agent -> number of deleted steps
    shortened: dict[str, int] = field(default_factory=dict)
    #: agent -> why it could not be read, or its history could not be shortened
    left: dict[str, str] = field(default_factory=dict)
    is_dry: bool = False

    def leave(self, damage: Damage) -> None:
        """Note an agent whose head cannot be read."""
        self.left[damage.agent_id] = str(damage)

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints (a contract)."""
        return {
            "deleted": list(self.deleted),
            "shortened": [{"id": agent_id, "steps": steps} for agent_id, steps in self.shortened.items()],
            "left": [{"id": agent_id, "why": why} for agent_id, why in self.left.items()],
            "dry_run": self.is_dry,
        }


async def purge(
    store: Store,
    retention: Retention,
    *,
    agent_ids: Iterable[str] = (),
    workflow: str | None = None,
    is_dry: bool = False,
) -> Purged:
    """Apply a retention to these agents, or to all; raises ``AgentNotFound`` before anything is deleted."""
    purged, now_ms = Purged(is_dry=is_dry), await store.now()
    async for head in read_heads(store, agent_ids, workflow=workflow, left_out=purged.leave):
        await _apply(store, retention, head, now_ms, purged)
    return purged


class RetentionSweeper:
    """Applies a retention in small parts: a few agents in each turn, all of them once an hour of the store's clock."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention
        self._after: str | None = None
        self._next_ms = 0
        #: damage of heads that was reported already
        self._told: set[Damage] = set()

    async def turn(self) -> Purged:
        """Look at the next agents, if it is time."""
        purged = Purged()
        if self._retention.is_everything:
            return purged
        now_ms = await self._store.now()
        if self._after is None and now_ms < self._next_ms:
            return purged
        if self._after is None:
            self._next_ms = now_ms + _REST_MS
        page = await self._store.list(limit=_PER_TURN, after=self._after)
        self._after = page.next
        for damage in page.damaged:
            purged.leave(damage)
            if damage not in self._told:
                self._told.add(damage)
                facts = {"action": "purge_failed", "agent_id": damage.agent_id}
                logger.warning("agent %s is left out: %s", damage.agent_id, damage, extra=facts)
        for head in page.heads:
            await _apply(self._store, self._retention, head, now_ms, purged)
            await asyncio.sleep(0)  # lets leases be renewed between long histories
        return purged


async def _apply(store: Store, retention: Retention, head: Head, now_ms: int, purged: Purged) -> None:
    """Apply a retention to one agent, and note the outcome in ``purged``."""
    facts = {"agent_id": head.id}
    try:
        if head.status is not Status.RUNNING:
            head = await without_orphan(store, head, now_ms, is_dry=purged.is_dry)
        if retention.is_over(head, now_ms) and not await _is_awaited(store, head):
            if not purged.is_dry:
                await store.delete(head)
                logger.info("agent deleted", extra={"action": "agent_deleted", **facts})
            purged.deleted.append(head.id)
        elif steps := await _shorten(store, retention, head, is_dry=purged.is_dry):
            purged.shortened[head.id] = steps
            if not purged.is_dry:
                logger.info("history shortened", extra={"action": "history_shortened", **facts})
    except Refused:
        logger.debug("agent has moved on and is left alone", extra={"action": "purge_overtaken", **facts})
    except (KeyMissing, StoreCorrupt) as error:
        purged.left[head.id] = str(error)
        logger.warning("history of agent %s is left: %s", head.id, error, extra={"action": "purge_failed", **facts})


async def _is_awaited(store: Store, head: Head) -> bool:
    """Whether the parent of this child still needs to read how it ended."""
    if head.parent is None:
        return False
    try:
        return (await store.head(head.parent.id)).activation == head.parent.activation
    except AgentNotFound:
        return False


async def _shorten(store: Store, retention: Retention, head: Head, *, is_dry: bool) -> int:
    """Delete the steps that a retention does not keep; returns their number."""
    if head.lease is not None:
        return 0
    cut = await _last_forgotten(store, retention, head)
    if cut < 1:
        return 0
    kept = await store.history(head.id, limit=1)
    if not kept or cut < kept[0].version:
        return 0
    if is_dry:
        return cut - kept[0].version + 1
    from fsm_agent.runtime.replay import load_past  # this imports the engine, which is needed only here

    then = (await load_past(store, head.id)).at(cut)
    return await store.shorten(head, Origin(then.head, then.folded.values))


async def _last_forgotten(store: Store, retention: Retention, head: Head) -> int:
    """The version of the last step that is not kept; 0 if all are kept."""
    match retention.history:
        case "all":
            return 0
        case "since-snapshot":
            snapshot = (await store.load(head.id)).snapshot
            return snapshot.version if snapshot else 0
        case steps:
            return head.version - steps
