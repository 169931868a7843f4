"""Agents in this process, gone with it: ``memory://``.

Kept are the rows that a database would keep, and heads that share nothing with those that were passed in.
Every verb runs to its end without an ``await``: what one loop runs is atomic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Record, Size
from fsm_agent.domain.step import Event, KeyOutcome, Step
from fsm_agent.domain.tuples import from_fields
from fsm_agent.errors import AgentExists, DefinitionMissing, StoreUrlInvalid
from fsm_agent.stores import codec
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.damage import check_record, checked, reading, reading_definition
from fsm_agent.stores.memory.agent import Kept, kept_from, kept_of
from fsm_agent.stores.memory.due_index import DueIndex
from fsm_agent.stores.memory.leases import MemoryLeases
from fsm_agent.stores.memory.thread_rows import ThreadRows
from fsm_agent.stores.memory.threads import PLACE
from fsm_agent.stores.refusals import moved_on


class MemoryStore(MemoryLeases):
    """See the module; ``open_store("memory://")`` makes one, empty."""

    keeps_problems = True
    needs_loop = False

    def __init__(self, *, namespace: str = "default", clock: Callable[[], int] | None = None) -> None:
        self.url = "memory://"
        self.namespace = namespace
        self._clock = SteadyClock(clock)
        self._definitions: dict[str, str] = {}
        self._agents: dict[str, Kept] = {}
        self._due = DueIndex()
        #: key of a creation -> agent id, fingerprint
        self._starts: dict[str, tuple[str, str]] = {}
        self._threads = ThreadRows()
        #: what is called at each ring
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        if rest:
            raise StoreUrlInvalid("a memory:// store has no name: write memory:// and nothing after it")
        return cls(namespace=namespace, clock=clock)

    async def now(self) -> int:
        return self._clock.now()

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        self._definitions.setdefault(definition_hash, codec.encode(definition))

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        if definition_hash not in self._definitions:
            raise DefinitionMissing(self.url, definition_hash)
        with reading_definition(definition_hash, PLACE):
            return checked(dict, codec.decode(self._definitions[definition_hash]))

    async def create(self, creation: Creation) -> Head:
        head, key = creation.head, creation.key
        if head.id in self._agents or key in self._starts:
            raise AgentExists(head.id)
        self._pinned(head)
        kept = self._agents[head.id] = kept_of(creation)
        if key is not None:
            self._starts[key] = (head.id, creation.fingerprint)
        self._moved(head.id, kept)
        return kept.head

    async def find_key(self, key: str) -> tuple[str, str] | None:
        return self._starts.get(key)

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        kept = self._kept(agent_id)
        with reading(agent_id, PLACE):
            outcome = kept.keys.get(key) if key is not None else None
            record = Record(
                head=kept.head,
                snapshot=codec.snapshot_of(kept.snapshot) if kept.snapshot else None,
                tail=tuple(codec.step_of(step) for step in kept.tail()),
                queue=tuple(codec.queued_of(number, text) for number, text in kept.queue.items()),
                outcome=KeyOutcome(*outcome) if outcome else None,
            )
        return check_record(record, PLACE, queue=PLACE, forgotten=kept.forgotten)

    async def commit(self, commit: Commit) -> Committed:
        head, fence = commit.head, commit.fence
        kept, stands_on = self._kept(head.id), head.version - 1
        if kept.written.version != stands_on or (fence is not None and fence != kept.epoch):
            raise moved_on(head.id, stands_on, kept.written.version)
        if commit.is_plain:
            kept.take(commit, brings_more=False)
        else:
            self._take_with_more(kept, commit)
        self._moved(head.id, kept)
        self._clock.seen(head.updated_ms)
        return from_fields(Committed, (kept.epoch, len(kept.queue)))

    def _take_with_more(self, kept: Kept, commit: Commit) -> None:
        is_decided = commit.dequeue is not None and commit.dequeue not in kept.queue
        is_settled = commit.settlement is not None and not kept.is_open(commit.settlement.key)
        if is_decided or is_settled or commit.key in kept.keys:
            raise moved_on(commit.head.id, commit.head.version - 1, kept.written.version)
        if commit.repins:
            self._pinned(commit.head)
        if commit.user is not None:
            self._threads.check_user(commit.user)
        added = [(each.thread, codec.message_rows(each.messages)) for each in commit.said]
        user = commit.user and codec.user_row(commit.user)
        kept.take(commit, brings_more=True)
        self._threads.add(added)
        if commit.user is not None and user is not None:
            self._threads.keep_user(commit.user.name, user)

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        kept = self._kept(agent_id)
        expected = kept.written.version if version is None else version
        if kept.written.version != expected or event.key in kept.keys:
            raise moved_on(agent_id, expected, kept.written.version)
        text = codec.queued_text(codec.event_text(event), expected)
        kept.numbered += 1
        kept.queue[kept.numbered] = text
        kept.wake_ms = kept.head.wake_ms
        self._moved(agent_id, kept)
        if event.key is not None:
            kept.keys[event.key] = (None, fingerprint)
        return len(kept.queue)

    async def record_attempt(
        self,
        agent_id: str,
        epoch: int,
        *,
        attempts: int,
        retry_ms: int | None,
        children: int | None = None,
        problem: Problem | None = None,
    ) -> None:
        kept = self._kept(agent_id)
        if kept.epoch != epoch:
            raise moved_on(agent_id, kept.written.version, kept.written.version)
        head = kept.head.tried(attempts, retry_ms, children, problem)
        kept.written, kept.wake_ms = head, head.wake_ms
        self._moved(agent_id, kept)

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        kept = self._kept(agent_id)
        if kept.epoch != entry.epoch:
            raise moved_on(agent_id, kept.written.version, kept.written.version)
        return kept.begin(entry, again=again)

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        return self._kept(agent_id).end(entry)

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        kept = self._kept(agent_id)
        with reading(agent_id, PLACE):
            return kept.effects_since(activation)

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        with reading(agent_id, PLACE):
            return [codec.step_of(step) for step in self._kept(agent_id).after(after, limit)]

    async def origin(self, agent_id: str) -> Origin | None:
        row = self._kept(agent_id).origin
        with reading(agent_id, PLACE):
            return codec.origin_of(row) if row else None

    async def shorten(self, seen: Head, origin: Origin) -> int:
        return self._unmoved(seen.id, seen).shorten(origin)

    async def delete(self, seen: Head) -> None:
        kept = self._untold(seen)
        if kept.start is not None:
            del self._starts[kept.start[0]]
        del self._agents[seen.id]
        self._due.forget(seen.id)
        self._threads.forget(own_thread(seen.id))

    async def size(self, agent_id: str) -> Size:
        kept = self._kept(agent_id)
        with reading(agent_id, PLACE):
            return kept.size()._replace(thread=self._threads.weight(own_thread(agent_id)))

    async def dump(self, agent_id: str) -> AgentExport:
        kept = self._kept(agent_id)
        with reading(agent_id, PLACE):
            return kept.export()._replace(messages=tuple(await self.messages(own_thread(agent_id))))

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        head, kept = export.head, kept_from(export)
        replaced = self._untold(replaces) if replaces else None
        owner = self._starts.get(kept.start[0]) if kept.start else None
        is_taken = owner is not None and not (replaced and owner[0] == head.id)
        if is_taken or (replaced is None and head.id in self._agents):
            raise AgentExists(head.id)
        self._pinned(head)
        if replaced and replaced.start:
            del self._starts[replaced.start[0]]
        self._agents[head.id] = kept
        self._moved(head.id, kept)
        self._threads.adopt(own_thread(head.id), head.talk.last, export.messages)
        if kept.start is not None:
            self._starts[kept.start[0]] = (head.id, kept.start[1])

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return sorted(each for each in self._definitions if each > (after or ""))[:limit]

    async def inspect(self) -> Sequence[Damage]:
        stray = {agent_id for agent_id, _ in self._starts.values()} - self._agents.keys()
        return [Damage(each, PLACE, "a key leads to it, and there is no such agent") for each in sorted(stray)]

    async def close(self) -> None:
        """Nothing to let go of: the agents stay as long as the store object."""

    def _untold(self, seen: Head) -> Kept:
        """Like ``_unmoved``; raises ``Conflict`` also if an event was queued since."""
        kept = self._unmoved(seen.id, seen)
        if len(kept.queue) != seen.queued:
            raise moved_on(seen.id, seen.version, seen.version)
        return kept

    def _pinned(self, head: Head) -> None:
        """Raises ``StoreCorrupt`` if the definition of ``head`` is not kept."""
        if head.definition not in self._definitions:
            raise DefinitionMissing(self.url, head.definition)
