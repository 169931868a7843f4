"""Sealed stores: any backend, which keeps what agents say as text that only keys open.

The wrapper works on the values of the port, so that no backend knows of it, and none needs to. It keeps secrets from
whoever reads the database; who can write to it may still take rows away, or put clear ones in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Self

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.message import Message, own_thread
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import (
    AgentExport,
    AppendedMessages,
    Commit,
    Committed,
    Creation,
    Origin,
    Page,
    Record,
)
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection
from fsm_agent.domain.step import Event, KeyOutcome, Queued, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.stores.sealed.cipher import Seal
from fsm_agent.stores.sealed.fields import SealedFields


class SealedStore(ForwardingStore):
    """``store`` with what agents say under ``seal``; closing it closes that."""

    is_sealed = True

    def __init__(self, store: Store, seal: Seal) -> None:
        super().__init__(store)
        self._fields = SealedFields(seal)

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        del rest, namespace, clock
        raise StoreUrlInvalid("a sealed store has no scheme of its own: give keys to `open_store` with any other URL")

    async def create(self, creation: Creation) -> Head:
        agent_id, fields = creation.head.id, self._fields
        sealed = creation._replace(
            head=fields.seal_head(creation.head),
            steps=tuple(fields.seal_step(agent_id, step) for step in creation.steps),
            fingerprint=fields.seal_fingerprint(creation.fingerprint, agent_id, "start", creation.key),
        )
        return fields.open_head(await self._store.create(sealed))

    async def find_key(self, key: str) -> tuple[str, str] | None:
        found = await self._store.find_key(key)
        if found is None:
            return None
        agent_id, fingerprint = found
        return agent_id, self._fields.open_fingerprint(fingerprint, agent_id, "start", key)

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        record, fields = await self._store.load(agent_id, key=key), self._fields
        outcome = record.outcome
        return Record(
            head=fields.open_head(record.head),
            snapshot=record.snapshot and fields.open_snapshot(agent_id, record.snapshot),
            tail=tuple(fields.open_step(agent_id, step) for step in record.tail),
            queue=self._open_queue(agent_id, record.queue),
            outcome=fields.open_outcome(agent_id, key, outcome) if outcome and key is not None else None,
        )

    async def head(self, agent_id: str) -> Head:
        return self._fields.open_head(await self._store.head(agent_id))

    async def commit(self, commit: Commit) -> Committed:
        agent_id, fields = commit.head.id, self._fields
        sealed = commit._replace(
            head=fields.seal_head(commit.head),
            step=fields.seal_step(agent_id, commit.step),
            snapshot=commit.snapshot and fields.seal_snapshot(agent_id, commit.snapshot),
            fingerprint=fields.seal_fingerprint(commit.fingerprint, agent_id, "key", commit.key),
            settlement=commit.settlement and fields.seal_settlement(agent_id, commit.settlement),
            said=tuple(
                AppendedMessages(said.thread, self._seal_messages(said.thread, said.messages)) for said in commit.said
            ),
            user=commit.user and fields.seal_user(commit.user),
        )
        return await self._store.commit(sealed)

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        sealed = self._fields.seal_event(agent_id, event)
        known_by = self._fields.seal_fingerprint(fingerprint, agent_id, "key", event.key)
        return await self._store.enqueue(agent_id, version, sealed, known_by)

    async def record_attempt(self, agent_id: str, epoch: int, *, problem: Problem | None = None, **rest: Any) -> None:
        if problem is not None:
            version = (await self._store.head(agent_id)).version  # it stays under this epoch
            rest["problem"] = self._fields.seal_problem(agent_id, version, problem)
        await self._store.record_attempt(agent_id, epoch, **rest)

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        kept = await self._store.begin_effect(agent_id, self._fields.seal_effect(agent_id, entry), again=again)
        return kept and self._fields.open_effect(agent_id, kept)

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        return await self._store.end_effect(agent_id, self._fields.seal_effect(agent_id, entry))

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        kept = await self._store.effects(agent_id, activation=activation)
        return [self._fields.open_effect(agent_id, entry) for entry in kept]

    async def held_here(self, host: str) -> Sequence[Head]:
        return [self._fields.open_listed(head) for head in await self._store.held_here(host)]

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        return [self._fields.open_listed(head) for head in await self._store.lapsed(now_ms, limit)]

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        page = await self._store.list_in(statuses, workflow=workflow, limit=limit, after=after)
        return page._replace(heads=tuple(self._fields.open_listed(head) for head in page.heads))

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        return [self._fields.open_listed(head) for head in await self._store.heads(agent_ids)]

    async def select(
        self, selection: Selection, *, newest: bool = False, limit: int = 50, after: str | None = None
    ) -> Page:
        page = await self._store.select(selection, newest=newest, limit=limit, after=after)
        return page._replace(heads=tuple(self._fields.open_listed(head) for head in page.heads))

    async def questions(
        self,
        *,
        to: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: QuestionPlace | None = None,
    ) -> QuestionPage:
        page = await self._store.questions(to=to, workflow=workflow, limit=limit, after=after)
        return page._replace(heads=tuple(self._fields.open_listed(head) for head in page.heads))

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        kept = await self._store.history(agent_id, after=after, limit=limit)
        return [self._fields.open_step(agent_id, step) for step in kept]

    async def origin(self, agent_id: str) -> Origin | None:
        kept = await self._store.origin(agent_id)
        return kept and self._fields.open_origin(kept)

    async def shorten(self, seen: Head, origin: Origin) -> int:
        return await self._store.shorten(seen, self._fields.seal_origin(origin))

    async def dump(self, agent_id: str) -> AgentExport:
        kept, fields = await self._store.dump(agent_id), self._fields
        return kept._replace(
            head=fields.open_head(kept.head),
            steps=tuple(fields.open_step(agent_id, step) for step in kept.steps),
            snapshot=kept.snapshot and fields.open_snapshot(agent_id, kept.snapshot),
            origin=kept.origin and fields.open_origin(kept.origin),
            queue=self._open_queue(agent_id, kept.queue),
            keys={key: fields.open_outcome(agent_id, key, outcome) for key, outcome in kept.keys.items()},
            start=kept.start
            and (kept.start[0], fields.open_fingerprint(kept.start[1], agent_id, "start", kept.start[0])),
            effects=tuple(fields.open_effect(agent_id, entry) for entry in kept.effects),
            messages=self._open_messages(own_thread(agent_id), kept.messages),
        )

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        agent_id, fields, start = export.head.id, self._fields, export.start
        sealed = export._replace(
            head=fields.seal_head(export.head),
            steps=tuple(fields.seal_step(agent_id, step) for step in export.steps),
            snapshot=export.snapshot and fields.seal_snapshot(agent_id, export.snapshot),
            origin=export.origin and fields.seal_origin(export.origin),
            queue=tuple(each._replace(event=fields.seal_event(agent_id, each.event)) for each in export.queue),
            keys={key: self._seal_outcome(agent_id, key, outcome) for key, outcome in export.keys.items()},
            start=start and (start[0], fields.seal_fingerprint(start[1], agent_id, "start", start[0])),
            effects=tuple(fields.seal_effect(agent_id, entry) for entry in export.effects),
            messages=self._seal_messages(own_thread(agent_id), export.messages),
        )
        await self._store.adopt(sealed, replaces=replaces)

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        kept = await self._store.messages(thread, after=after, upto=upto, limit=limit, newest=newest)
        return self._open_messages(thread, kept)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._store.append(thread, self._seal_messages(thread, messages))

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._store.revise(thread, self._seal_messages(thread, messages))

    async def user(self, name: str) -> UserRecord:
        return self._fields.open_user(await self._store.user(name))

    async def save_user(self, user: UserRecord) -> None:
        await self._store.save_user(self._fields.seal_user(user))

    def _open_queue(self, agent_id: str, queue: Sequence[Queued]) -> tuple[Queued, ...]:
        return tuple(each._replace(event=self._fields.open_event(agent_id, each.event)) for each in queue)

    def _seal_messages(self, thread: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        return tuple(self._fields.seal_message(thread, message) for message in messages)

    def _open_messages(self, thread: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        return tuple(self._fields.open_message(thread, message) for message in messages)

    def _seal_outcome(self, agent_id: str, key: str, outcome: KeyOutcome) -> KeyOutcome:
        return outcome._replace(fingerprint=self._fields.seal_fingerprint(outcome.fingerprint, agent_id, "key", key))
