"""Agents in a Redis server, 6.2 or newer, or in a cluster: ``redis://[user:password@]host:port/db``.

Any number of processes may share a server. Every verb is one script, atomic in itself; what it checks before it
writes is the compare-and-set. How much of what was acknowledged a power loss can cost is the server's setting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Self

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Record, Size
from fsm_agent.domain.step import Event, Step
from fsm_agent.errors import AgentNotFound, DefinitionMissing
from fsm_agent.stores import codec, damage
from fsm_agent.stores.clock import ServerClock, SteadyClock
from fsm_agent.stores.redis import defects, reads, rows
from fsm_agent.stores.redis.address import Address, address_of
from fsm_agent.stores.redis.bell import RedisBell
from fsm_agent.stores.redis.keys import agent_keys, bell_channel
from fsm_agent.stores.redis.leases import RedisLeases
from fsm_agent.stores.redis.server import Server
from fsm_agent.stores.redis.startup import schema
from fsm_agent.stores.redis.takes import Passed
from fsm_agent.stores.redis.writes import Units


class RedisStore(RedisLeases):
    """See the module. Opening connects to nothing; the first verb does, and looks at what it finds."""

    keeps_problems = True
    #: for writes, for reads, and one that listens
    max_connections = 3

    scheme: ClassVar = "redis"

    def __init__(self, address: Address, *, namespace: str = "default", clock: Callable[[], int] | None = None) -> None:
        self.url = address.url
        self.namespace = namespace
        self._server = Server(address)
        self._bell = RedisBell(address, bell_channel(namespace))
        self._passed = Passed()
        self._units = Units(namespace)
        self._server_clock = ServerClock(self._server_ms)
        self._is_server_asked = clock is None
        self._clock = SteadyClock(clock or self._server_clock.read)
        self._introducing = asyncio.Lock()

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        return cls(address_of(cls.scheme, rest), namespace=namespace, clock=clock)

    async def now(self) -> int:
        if self._is_server_asked:
            await self._server_clock.keep_fresh()
        return self._clock.now()

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        await self._write(self._units.saving_workflow(schema(), definition_hash, definition), "")

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        (text,) = await self._look(("HGET", self._units.space.workflows, definition_hash))
        if text is None:
            raise DefinitionMissing(self.url, definition_hash)
        with damage.reading_definition(definition_hash, self._units.space.workflows):
            return damage.checked(dict, codec.decode(text))

    async def create(self, creation: Creation) -> Head:
        head = creation.head
        await self._write(self._units.creating(creation), head.id, definition=head.definition)
        held = codec.HeldRow(1, 0, *codec.lease_row(creation.lease))
        return codec.head_of((*codec.pin_row(head), *codec.moving_row(head), *held))

    async def find_key(self, key: str) -> tuple[str, str] | None:
        (start,) = await self._look(("HGET", self._units.space.starts, rows.key_text(key)))
        if start is None:
            return None
        agent_id, _, fingerprint = start.partition(" ")
        return agent_id, fingerprint

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        told = await self._read(reads.loading(self.namespace, agent_id, key), agent_id)
        record = reads.record_of(self.namespace, agent_id, told)
        self._clock.seen(record.head.updated_ms)
        return record

    async def commit(self, commit: Commit) -> Committed:
        head = commit.head
        call = self._units.committing(commit)
        epoch, queued = await self._write(
            call, head.id, expected=head.version - 1, definition=head.definition, user=commit.user
        )
        self._clock.seen(head.updated_ms)
        return Committed(int(epoch), int(queued))

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        call = self._units.enqueuing(agent_id, version, event, fingerprint)
        (queued,) = await self._write(call, agent_id, expected=version)
        return int(queued)

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
        is_done = False
        while not is_done:  # only what changes the head under the same epoch sends us round again
            (flat,) = await self._look(("HGETALL", agent_keys(self.namespace, agent_id).head))
            if not flat:
                raise AgentNotFound(agent_id, self.namespace)
            head, moving = reads.head_of(self.namespace, agent_id, flat), rows.pairs(flat)["moving"]
            tried = head.tried(attempts, retry_ms, children, problem)
            (is_done,) = await self._write(self._units.trying(epoch, moving, tried), agent_id)

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        (kept,) = await self._write(self._units.beginning_effect(agent_id, entry, again=again), agent_id)
        with damage.reading(agent_id, agent_keys(self.namespace, agent_id).effects):
            return rows.effect_of(entry.key, kept) if kept else None

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        (is_recorded,) = await self._write(self._units.ending_effect(agent_id, entry), agent_id)
        return bool(is_recorded)

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        (found,) = await self._read(reads.reading_effects(self.namespace, agent_id, activation), agent_id)
        return reads.effects_of(self.namespace, agent_id, found)

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        (steps,) = await self._read(reads.reading_history(self.namespace, agent_id, after, limit), agent_id)
        return reads.steps_of(self.namespace, agent_id, steps)

    async def origin(self, agent_id: str) -> Origin | None:
        (text,) = await self._read(reads.reading_origin(self.namespace, agent_id), agent_id)
        return reads.origin_of(self.namespace, agent_id, text) if text else None

    async def shorten(self, seen: Head, origin: Origin) -> int:
        (forgotten,) = await self._write(self._units.shortening(seen, origin), seen.id, expected=seen.version)
        return int(forgotten)

    async def delete(self, seen: Head) -> None:
        await self._write(self._units.deleting(seen), seen.id, expected=seen.version)

    async def size(self, agent_id: str) -> Size:
        return Size(*await self._read(reads.weighing(self.namespace, agent_id), agent_id))

    async def dump(self, agent_id: str) -> AgentExport:
        told = await self._read(reads.dumping(self.namespace, agent_id, self._units.space), agent_id)
        return reads.dossier_of(self.namespace, agent_id, told)

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        head = export.head
        expected = replaces.version if replaces else None
        call = self._units.adopting(export, replaces)
        await self._write(call, head.id, expected=expected, definition=head.definition)

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        (hashes,) = await self._look(("HKEYS", self._units.space.workflows))
        return sorted(each for each in hashes if each > (after or ""))[:limit]

    async def inspect(self) -> Sequence[Damage]:
        return await defects.inspect(self._look, self.namespace)

    async def reindex(self) -> int:
        return await defects.mend(self._look, self._write, self.namespace)

    async def close(self) -> None:
        await self._bell.close()
        await self._server.close()

    async def _server_ms(self) -> int:
        ((seconds, micros),) = await self._look(("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000


class TlsRedisStore(RedisStore):
    """``rediss://``"""

    scheme: ClassVar = "rediss"


class LocalRedisStore(RedisStore):
    """``redis+unix:///path/of/socket?db=0``"""

    scheme: ClassVar = "redis+unix"
