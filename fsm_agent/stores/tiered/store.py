"""Agents in three tiers: ``tiered:redis://...,postgresql://...``, or any other two stores, warm and cold.

*Hot* is this process: what was read lately is not read again while it is current. *Warm* is where agents live: every
promise is kept there, by compare-and-set. *Cold* is where the bulk of those goes that have ended or rest.

Who is archived leaves a *stub* in warm: its head, at minus its version, so that no compare-and-set that was meant for
the agent succeeds, while its id and the key of its creation stay taken. Lists, inboxes and counts ask warm alone, where
everybody has a head. Warm alone says where an agent is, so a mover that dies or oversleeps leaves at worst a copy that
nobody reads. Who is in cold is read there, and brought back by the first write. An agent's own thread goes where it
goes; users, and threads that agents share, stay in warm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Self, TypeVar

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.domain.message import Message, owner_of
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Page, Record, Size
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection
from fsm_agent.domain.step import Event, Step
from fsm_agent.errors import Conflict
from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.tiered.cache import Hot
from fsm_agent.stores.tiered.due_stubs import recall_due
from fsm_agent.stores.tiered.policy import Tiers, read_tiers
from fsm_agent.stores.tiered.transfer import PATIENCE, Moves, awake, found, is_stub, roused

T = TypeVar("T")


class TieredStore(ForwardingStore):
    """See the module. Verbs that are not defined here go to warm alone. Closing it closes both stores."""

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers.warm)
        self.url = f"tiered:{tiers.warm.url},{tiers.cold.url}"
        self.needs_loop = True
        self._warm, self._cold = tiers.warm, tiers.cold
        self.max_connections = sum(store.max_connections or 0 for store in (self._warm, self._cold)) or None
        self._moves = Moves(tiers)
        self._hot = Hot(tiers.hot)

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        return cls(read_tiers(rest, namespace=namespace, clock=clock))

    async def tend(self) -> int:
        """Archive some of those who have ended or rest for long enough."""
        return await self._moves.archive_ripe()

    async def create(self, creation: Creation) -> Head:
        head = await self._warm.create(creation)
        self._moves.watch(head)
        return head

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        if key is None and (record := await self._remembered(agent_id)) is not None:
            return record
        record = await self._warm.load(agent_id, key=key)
        if not is_stub(record.head):
            self._hot.keep(record)
            return record
        return await self._moves.read(agent_id, partial(self._load_from, agent_id, key))

    async def _load_from(self, agent_id: str, key: str | None, store: Store) -> Record:
        record = await store.load(agent_id, key=key)
        return record if store is self._warm else record._replace(head=roused(record.head))

    async def _remembered(self, agent_id: str) -> Record | None:
        return self._hot.record(await self._warm.head(agent_id)) if self._hot.has(agent_id) else None

    async def head(self, agent_id: str) -> Head:
        return awake(await self._warm.head(agent_id))

    async def commit(self, commit: Commit) -> Committed:
        committed = await self._write(commit.head.id, lambda: self._warm.commit(commit))
        self._hot.step(commit, committed)
        self._moves.watch(commit.head)
        return committed

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        """Names the version even where any will do, so that no stub gets the event."""
        if version is not None:
            return await self._write(agent_id, partial(self._warm.enqueue, agent_id, version, event, fingerprint))
        for _ in range(PATIENCE):
            version = (await self.head(agent_id)).version
            try:
                return await self._write(agent_id, partial(self._warm.enqueue, agent_id, version, event, fingerprint))
            except Conflict as conflict:
                if conflict.actual is None:  # it is the key
                    raise
        raise moved_on(agent_id, version or 0, version or 0)

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        epoch = await self._write(agent_id, lambda: self._warm.claim(agent_id, seen, lease))
        self._hot.claimed(seen, epoch)
        return epoch

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        """An agent in cold can be taken only after it was brought back, which is done first."""

        def is_wanted(head: Head) -> bool:
            return (workflows is None or head.workflow in workflows) and (head.definition, head.state) not in without

        await recall_due(self._moves, self._warm, limit, is_wanted)
        claimed = await self._warm.take(limit, lease, workflows=workflows, without=without)
        for agent_id, epoch in claimed:
            self._hot.taken(agent_id, epoch)
        return claimed

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        return await self._write(agent_id, lambda: self._warm.end_effect(agent_id, entry))

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        return await self._moves.read(agent_id, lambda store: store.effects(agent_id, activation=activation))

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        page = await self._warm.list_in(statuses, workflow=workflow, limit=limit, after=after)
        return page._replace(heads=tuple(awake(head) for head in page.heads))

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        return [awake(head) for head in await self._warm.heads(agent_ids)]

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        page = await self._warm.select(selection, newest=newest, limit=limit, after=after)
        return page._replace(heads=tuple(awake(head) for head in page.heads))

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        page = await self._warm.questions(to=to, workflow=workflow, limit=limit, after=after)
        return page._replace(heads=tuple(awake(head) for head in page.heads))

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        return await self._moves.read(agent_id, lambda store: store.history(agent_id, after=after, limit=limit))

    async def origin(self, agent_id: str) -> Origin | None:
        return await self._moves.read(agent_id, lambda store: store.origin(agent_id))

    async def shorten(self, seen: Head, origin: Origin) -> int:
        deleted = await self._write(seen.id, lambda: self._warm.shorten(seen, origin))
        await self._moves.drop_leftover(seen.id)
        return deleted

    async def delete(self, seen: Head) -> None:
        here = await self._warm.head(seen.id)
        if is_stub(here) and _standing(awake(here)) != _standing(seen):
            raise moved_on(seen.id, seen.version, awake(here).version)
        await self._warm.delete(here if is_stub(here) else seen)
        self._hot.forget(seen.id)
        await self._moves.drop_leftover(seen.id)

    async def size(self, agent_id: str) -> Size:
        return await self._moves.read(agent_id, lambda store: store.size(agent_id))

    async def dump(self, agent_id: str) -> AgentExport:
        for _ in range(PATIENCE):
            here = await self._warm.dump(agent_id)
            whole = await self._moves.whole(here) if is_stub(here.head) else here
            if whole is not None:
                return whole
        raise moved_on(agent_id, here.head.version, here.head.version)

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        await self._write(export.head.id, lambda: self._warm.adopt(export, replaces=replaces))
        self._hot.forget(export.head.id)
        await self._moves.drop_leftover(export.head.id)

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        """A stub has no messages, so what warm has of an agent's own thread is all of it."""

        async def look(store: Store) -> Sequence[Message]:
            return await store.messages(thread, after=after, upto=upto, limit=limit, newest=newest)

        said, owner = await look(self._warm), owner_of(thread)
        return said if said or owner is None else await found(self._moves.read(owner, look)) or []

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        owner = owner_of(thread)
        if owner is None:
            return await self._warm.revise(thread, messages)
        revised = await self._moves.change(owner, lambda: self._warm.revise(thread, messages)) or 0
        await self._moves.drop_leftover(owner)
        return revised

    async def inspect(self) -> Sequence[Damage]:
        return [*await self._warm.inspect(), *await self._cold.inspect()]

    async def reindex(self) -> int:
        return await self._warm.reindex() + await self._cold.reindex()

    async def close(self) -> None:
        await self._warm.close()
        await self._cold.close()

    async def _write(self, agent_id: str, write: Callable[[], Awaitable[T]]) -> T:
        """A write in warm. Where warm refuses it since the agent is in cold, the agent is brought back first."""
        try:
            return await write()
        except Conflict:
            if not await self._moves.recall(agent_id):
                raise
        return await write()


def _standing(head: Head) -> tuple[object, ...]:
    """What a compare-and-set on what was seen compares."""
    return (head.version, head.epoch, head.lease, head.queued)
