"""Moving agents between warm and cold: a copy, a look at the copy, and one compare-and-set in warm.

Warm decides: a stub in it says that an agent is in cold, and which copy there is meant, by version and epoch. Copies
that no stub means are leftovers: nobody reads them, and the next one to be archived replaces them. What is erased or
deleted in warm is deleted from the leftover, too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice, takewhile
from typing import Final, TypeVar

from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.record import AgentExport
from fsm_agent.errors import (
    AgentDamaged,
    AgentExists,
    AgentNotFound,
    Conflict,
    FsmAgentError,
    StoreCorrupt,
)
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import reading
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.tiered.policy import Tiers

logger = logging.getLogger("fsm_agent")

T = TypeVar("T")

#: How many agents are looked at and archived at the most in one go.
_AT_ONCE: Final = 100
#: A lease that ran out before it began.
NOBODY: Final = Lease(Holder("", 0, 0), 0)
#: How often a call starts over because the agent is moved meanwhile.
PATIENCE: Final = 20


def is_stub(head: Head) -> bool:
    """Whether this stands in warm for an agent that is in cold."""
    return head.version < 0


def awake(head: Head) -> Head:
    """The head of the agent that a stub stands for; any other as it is."""
    return head._replace(version=-head.version) if is_stub(head) else head


def stub_of(export: AgentExport) -> AgentExport:
    """What stays in warm. The epoch goes up: who read or held the agent before it was archived can change nothing."""
    head = export.head._replace(version=-export.head.version, epoch=export.head.epoch + 1, lease=None)
    return AgentExport(head, steps=(), numbered=export.numbered, start=export.start)


def roused(copy: Head) -> Head:
    """The head of an agent that is read in cold: that for which its stub stands."""
    return copy._replace(epoch=copy.epoch + 1)


def is_copy_of(copy: Head, stub: Head) -> bool:
    """Whether a stub means this copy in cold."""
    return (copy.version, copy.epoch + 1) == (-stub.version, stub.epoch)


class Moves:
    """Archives what is ripe, brings back what is needed, reads where it is."""

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers
        self._warm, self._cold = tiers.warm, tiers.cold
        #: who may become ripe, as far as this process has moved them: id -> since when
        self._watched: dict[str, int] = {}
        #: why agents could not be archived, as it was last said
        self._told: dict[str, str] = {}
        #: how far the walk through everybody has come
        self._after: str | None = None

    def watch(self, head: Head) -> None:
        """Remember when an agent came to rest here."""
        self._watched.pop(head.id, None)
        if head.status in ENDED or head.status is Status.WAITING:
            self._watched[head.id] = head.updated_ms

    async def archive_ripe(self) -> int:
        """Archive some of those who have ended or rest for long enough: first those who came to rest in this process,
        then, a page each time, whoever there is. Returns how many."""
        now_ms = await self._warm.now()
        page = await self._warm.list(limit=_AT_ONCE, after=self._after)
        self._after = page.next
        heads = [head for head in page.heads if not is_stub(head)]
        for agent_id in self._watched_since(now_ms - min(self._tiers.idle_ms, self._tiers.ended_ms)):
            try:
                head = await found(self._warm.head(agent_id))
            except AgentDamaged:  # the walk finds it, too
                head = None
            if head is None or is_stub(head):
                del self._watched[agent_id]
            else:
                heads.append(head)
        return sum([await self._archive_if_ripe(head, now_ms) for head in heads])

    def _watched_since(self, latest_ms: int) -> list[str]:
        """The agents that came to rest by then; they are watched in that order."""
        rests = takewhile(lambda rest: rest[1] <= latest_ms, self._watched.items())
        return [agent_id for agent_id, _ in islice(rests, _AT_ONCE)]

    async def _archive_if_ripe(self, head: Head, now_ms: int) -> bool:
        was_watched = self._watched.pop(head.id, None) is not None
        if self.is_ripe(head, now_ms) and await self.archive(head.id):
            return True
        if was_watched:
            self._watched[head.id] = now_ms  # after those whose turn has not come yet
        return False

    def is_ripe(self, head: Head, now_ms: int) -> bool:
        """Whether an agent has ended or rests for long enough, and nobody needs it soon."""
        if head.lease is not None or head.queued or head.children:
            return False
        if head.status in ENDED:
            return head.updated_ms + self._tiers.ended_ms <= now_ms
        is_needed = head.wake_ms is not None and head.wake_ms <= now_ms + self._tiers.idle_ms
        return head.status is Status.WAITING and head.updated_ms + self._tiers.idle_ms <= now_ms and not is_needed

    async def archive(self, agent_id: str) -> bool:
        """Move an agent to cold. False, and it stays where it is, if somebody has work with it or moves it."""
        try:
            export = await self._warm.dump(agent_id)
            if is_stub(export.head) or _is_in_use(export):
                return False
            await self._copy(export)
            await self._warm.adopt(stub_of(export), replaces=export.head)
        except (Conflict, AgentNotFound, AgentExists):
            await self.drop_leftover(agent_id)
            return False
        except AgentDamaged as error:  # which keeps no other from its turn
            self.complain("archive", agent_id, error)
            return False
        logger.info("agent archived", extra={"action": "agent_archived", "agent_id": agent_id})
        return True

    def complain(self, move: str, agent_id: str, error: FsmAgentError) -> None:
        """Say once for each reason why an agent stays where it is."""
        if self._told.get(agent_id) != str(error):
            self._told[agent_id] = str(error)
            facts = {"action": f"{move}_failed", "agent_id": agent_id}
            done = "archived" if move == "archive" else "brought back"
            logger.warning("agent %s is not %s: %s", agent_id, done, error, extra=facts)

    async def _copy(self, export: AgentExport) -> None:
        """A complete copy in cold, in place of any that was left there. The key of the creation stays in warm. Raises
        ``Conflict`` if another process is at it."""
        head, definition = export.head, export.head.definition
        with reading(head.id, "its definition"):
            document = await self._warm.load_workflow(definition)
        await self._cold.save_workflow(definition, document)
        copy = export._replace(start=None)
        replaced = await found(self._cold.head(head.id))
        if await found(self._warm.head(head.id)) != head:  # whoever moved the agent on may have left a later copy
            raise moved_on(head.id, head.version, head.version)
        await self._cold.adopt(copy, replaces=replaced)
        kept = await found(self._cold.dump(head.id))
        if kept == copy:
            return
        is_replaced = kept is None or _stand(kept.head) != _stand(copy.head)
        if is_replaced or await found(self._warm.dump(head.id)) != export:  # another process archives the agent, too
            raise moved_on(head.id, head.version, head.version)
        raise StoreCorrupt(f"{self._cold.url} does not keep agent {head.id!r} as it was given; it stays in warm")

    async def recall(self, agent_id: str) -> bool:
        """Bring an agent back to warm. Whether it was away; raises ``AgentNotFound``."""
        stub = await self._warm.dump(agent_id)
        if not is_stub(stub.head):
            return False
        whole = await self.whole(stub)
        if whole is not None:
            try:
                await self._warm.adopt(whole, replaces=stub.head)
            except Conflict:
                return True  # somebody else brought it back
            self.watch(whole.head)
            logger.info("agent recalled", extra={"action": "agent_recalled", "agent_id": agent_id})
        return True

    async def whole(self, stub: AgentExport) -> AgentExport | None:
        """The agent that a stub stands for; ``None`` if it does so no more."""
        copy = await found(self._cold.dump(stub.head.id))
        if copy is not None and is_copy_of(copy.head, stub.head):
            return copy._replace(head=awake(stub.head), start=stub.start)
        if await found(self._warm.head(stub.head.id)) != stub.head:
            return None
        raise self._missing(stub.head.id)

    async def read(self, agent_id: str, look: Callable[[Store], Awaitable[T]]) -> T:
        """``look`` at an agent where it is; raises ``AgentNotFound``."""
        for _ in range(PATIENCE):
            stood = await self._warm.head(agent_id)
            if is_stub(stood) and not await self._is_kept(stood):
                continue
            try:
                seen = await look(self._cold if is_stub(stood) else self._warm)
            except AgentNotFound:
                if is_stub(stood):  # the copy was dropped meanwhile, since warm means it no more
                    continue
                raise
            stands = await self._warm.head(agent_id)
            if is_stub(stood) == is_stub(stands) and (not is_stub(stood) or _stand(stood) == _stand(stands)):
                return seen
        raise moved_on(agent_id, awake(stood).version, awake(stood).version)

    async def change(self, agent_id: str, write: Callable[[], Awaitable[T]]) -> T | None:
        """``write`` in warm, which does not change the head of the agent; ``None`` if there is no such agent."""
        for _ in range(PATIENCE):
            if await found(self.recall(agent_id)) is None:
                return None
            written = await write()
            if await self._overtakes_movers(agent_id):
                return written
        raise moved_on(agent_id, 0, 0)

    async def _overtakes_movers(self, agent_id: str) -> bool:
        """Whether no process that copied the agent before can move it: the agent is held, or its epoch was raised."""
        stands = await found(self._warm.head(agent_id))
        if stands is None or is_stub(stands) or stands.lease is not None:
            return stands is None or not is_stub(stands)
        try:
            epoch = await self._warm.claim(agent_id, stands, NOBODY)
            await self._warm.release(agent_id, epoch)
        except (Conflict, AgentNotFound):
            return False
        return True

    async def _is_kept(self, stub: Head) -> bool:
        """Whether cold has the copy that a stub means; raises ``StoreCorrupt`` if it should."""
        copy = await found(self._cold.head(stub.id))
        if copy is not None and is_copy_of(copy, stub):
            return True
        if await found(self._warm.head(stub.id)) == stub:
            raise self._missing(stub.id)
        return False

    async def drop_leftover(self, agent_id: str) -> None:
        """Delete the copy in cold that warm does not mean, so that nothing stays there of what was erased. What refuses
        this refuses no call: the copy was replaced meanwhile, and the new one is looked at."""
        for _ in range(PATIENCE):
            copy = await found(self._cold.head(agent_id))
            if copy is None or not _is_leftover(copy, await found(self._warm.head(agent_id))):
                return
            with suppress(Conflict, AgentNotFound):
                await self._cold.delete(copy)
        facts = {"action": "leftover_kept", "agent_id": agent_id}
        logger.warning("a copy of agent %s that nobody reads stays in %s", agent_id, self._cold.url, extra=facts)

    def _missing(self, agent_id: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"agent {agent_id!r} is archived, and {self._cold.url} does not keep it: restore that store from a backup"
        )


def _is_in_use(export: AgentExport) -> bool:
    """Whether somebody has work with an agent. The result of an open effect may be recorded at any time, which changes
    nothing in the head: no compare-and-set would see that."""
    return export.head.lease is not None or bool(export.queue) or any(entry.is_open for entry in export.effects)


def _is_leftover(copy: Head, here: Head | None) -> bool:
    """Whether no stub means this copy, nor may soon: a mover puts the stub only while warm is as it was copied."""
    return here is None or not (is_stub(here) or _stand(here) == _stand(copy))


def _stand(head: Head) -> tuple[int, int]:
    return head.version, head.epoch


async def found(asked: Awaitable[T]) -> T | None:
    """What a verb returns, ``None`` where there is no such agent."""
    try:
        return await asked
    except AgentNotFound:
        return None
