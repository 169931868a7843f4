"""Agents in a PostgreSQL database: ``postgresql://user@host:port/database``.

Any number of processes on any number of hosts may have it open. Each verb is one statement, and so one transaction
without a BEGIN; why a compare-and-set found nothing is asked afterwards. Nothing is connected to before the first verb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Self

from psycopg.errors import UniqueViolation

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Record, Size
from fsm_agent.domain.step import Event, Step
from fsm_agent.errors import AgentExists, AgentNotFound, DefinitionMissing, UserConflict
from fsm_agent.stores import codec, damage
from fsm_agent.stores.clock import ServerClock, SteadyClock
from fsm_agent.stores.postgres import defects, effect_statements, index, queries, statements
from fsm_agent.stores.postgres import parameters as values_of
from fsm_agent.stores.postgres.bell import PostgresBell, channel_of
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.leases import PostgresLeases
from fsm_agent.stores.postgres.pool import Address, Pool, address_of
from fsm_agent.stores.postgres.rows import dossier_of, effects_of, part_of, record_of, steps_of
from fsm_agent.stores.postgres.text_escape import kept, told
from fsm_agent.stores.postgres.transfer import Adoption, adopt
from fsm_agent.stores.refusals import moved_on


class PostgresStore(PostgresLeases):
    """See the module; ``patience_ms`` is how long a statement, or the wait for a connection, may take."""

    keeps_problems = True

    def __init__(
        self,
        address: Address,
        *,
        namespace: str = "default",
        clock: Callable[[], int] | None = None,
        patience_ms: int = 10_000,
    ) -> None:
        self.url = address.url
        self.namespace = namespace
        self._server_clock = ServerClock(self._ask_time) if clock is None else None
        self._clock = SteadyClock(self._server_clock.read if self._server_clock else clock)
        self._pool = Pool(address, patience_ms=patience_ms)
        self._bell = PostgresBell(address, channel_of(namespace), patience_ms=patience_ms)
        self.max_connections = address.pool_size + 1

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        return cls(address_of(rest), namespace=namespace, clock=clock)

    async def now(self) -> int:
        if self._server_clock is not None:
            await self._server_clock.keep_fresh()
        return self._clock.now()

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        text, name, version = codec.encode(definition), definition["workflow"], definition["version"]
        row = {"hash": definition_hash, "name": name, "version": version, "definition": text}
        await self._write(statements.SAVE_WORKFLOW, row)

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        found = await self._read(queries.DEFINITION, {"hash": kept(definition_hash)})
        if not found:
            raise DefinitionMissing(self.url, definition_hash)
        with damage.reading_definition(definition_hash, "definitions"):
            return damage.checked(dict, codec.decode(found[0][0]))

    async def create(self, creation: Creation) -> Head:
        head = creation.head
        try:
            values = values_of.creation_values(creation)
            statement = statements.create_statement(
                len(creation.steps), addresses=values_of.asks_several(values), has_labels=bool(head.labels)
            )
            made = await self._write(statement, values)
        except UniqueViolation:
            raise AgentExists(head.id) from None
        if not made:
            await self._refuse_birth(head)
        return codec.head_of((*codec.pin_row(head), *codec.moving_row(head), 1, 0, *codec.lease_row(creation.lease)))

    async def find_key(self, key: str) -> tuple[str, str] | None:
        found = await self._read(queries.FIND_KEY, {"key": kept(key)})
        return (told(found[0][0]), told(found[0][1])) if found else None

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        record = record_of(await self._one(queries.LOAD, agent_id, {"key": kept(key)}))
        self._clock.seen(record.head.updated_ms)
        return record

    async def head(self, agent_id: str) -> Head:
        return self._seen(await self._one(queries.HEAD, agent_id))

    async def commit(self, commit: Commit) -> Committed:
        values = values_of.commit_values(commit)
        shape = statements.shape_of(commit, asks="asked_due" in values, addresses=values_of.asks_several(values))
        moved = await self._swap(statements.commit_statement(shape), values)
        if not moved and not shape.addresses and await self._read(queries.ASKS_SEVERAL, values):
            shape = shape._replace(addresses=True)
            moved = await self._swap(statements.commit_statement(shape), {**values_of.NO_QUESTION, **values})
        if not moved:
            await self._refuse_step(commit)
        self._clock.seen(commit.head.updated_ms)
        return Committed(*moved[0])

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        statement = statements.enqueue_statement(has_version=version is not None, has_key=event.key is not None)
        row = values_of.event_values(event, fingerprint) | {"id": kept(agent_id), "version": version}
        moved = await self._swap(statement, row)
        if not moved:
            await self._refuse(agent_id, version)
        return int(moved[0][0])

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
        while True:
            head = await self.head(agent_id)
            if head.epoch != epoch:
                raise moved_on(agent_id, head.version, head.version)
            tried = head.tried(attempts, retry_ms, children, problem)
            row = {"id": kept(agent_id), "version": head.version, "epoch": epoch} | values_of.waking(
                tried, is_held=True
            )
            if await self._write(statements.RECORD_ATTEMPT, row | {"cold": codec.moving_row(tried).cold}):
                return

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        row = values_of.effect_values(entry) | {"id": kept(agent_id)}
        while True:
            held = await self._write(effect_statements.BEGIN_EFFECT, row)
            if not held:
                await self._refuse(agent_id, None)
            if held[0][0]:
                return None
            found = await self._read(queries.EFFECT, row)
            with damage.reading(agent_id, "effects"):
                known = codec.effect_of([told(value) for value in found[0]]) if found else None
            if known is not None and not (again and known.is_open):
                return known
            if known is not None:
                seen = {"seen_epoch": known.epoch, "seen_begun_ms": known.begun_ms}
                if await self._write(effect_statements.BEGIN_AGAIN, row | seen):
                    return known

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        row = values_of.effect_values(entry) | {"id": kept(agent_id)}
        found = await self._write(effect_statements.END_EFFECT, row)
        if not found:
            raise AgentNotFound(agent_id, self.namespace)
        return bool(found[0][0])

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        (text,) = await self._one(queries.EFFECTS, agent_id, {"activation": activation})
        return part_of(agent_id, "effects", effects_of, text)

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        (text,) = await self._one(queries.HISTORY, agent_id, {"after": after, "limit": limit})
        return part_of(agent_id, "history", steps_of, text)

    async def origin(self, agent_id: str) -> Origin | None:
        row = await self._one(queries.ORIGIN, agent_id)
        return None if row[0] is None else part_of(agent_id, "origin", codec.origin_of, row)

    async def shorten(self, seen: Head, origin: Origin) -> int:
        version, head, data = codec.origin_row(origin)
        row = values_of.seen_values(seen) | {"version": version, "head": head, "data": data}
        return int((await self._unmoved(statements.SHORTEN, seen.id, seen, row))[0])

    async def delete(self, seen: Head) -> None:
        row = {**values_of.seen_values(seen), "seen_queued": seen.queued}
        await self._unmoved(statements.DELETE, seen.id, seen, row)

    async def size(self, agent_id: str) -> Size:
        return Size(*map(int, await self._one(queries.SIZE, agent_id)))

    async def dump(self, agent_id: str) -> AgentExport:
        return dossier_of(await self._one(queries.DUMP, agent_id, {"activation": 0}))

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        match await adopt(self._pool, self.namespace, export, replaces):
            case Adoption.UNPINNED if replaces is None:
                await self._refuse_birth(export.head)
            case Adoption.UNPINNED:
                raise DefinitionMissing(self.url, export.head.definition)
            case Adoption.MOVED_ON if replaces is not None:
                await self._refuse(replaces.id, replaces.version)

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._names(defects.DEFINITIONS, limit, after)

    async def inspect(self) -> Sequence[Damage]:
        found = [each for query in defects.CHECKS for each in await self._read(query, {})]
        damages = [Damage(told(agent_id or ""), table, what) for agent_id, table, what in found]
        return [*damages, *await index.inspect(self._read, self.namespace)]

    async def reindex(self) -> int:
        return await index.reindex(self._write, self.namespace)

    async def close(self) -> None:
        await self._bell.close()
        await self._pool.close()

    async def _swap(self, statement: bytes, row: Mapping[str, Any]) -> Sequence[Row]:
        """Like ``_write``; a key that somebody used in the meantime finds nothing, too."""
        try:
            return await self._write(statement, row)
        except UniqueViolation:
            return ()

    async def _refuse_step(self, commit: Commit) -> NoReturn:
        head, stands_on = commit.head, commit.head.version - 1
        version, epoch = await self._one(queries.STANDING, head.id)
        if commit.repins and version == stands_on and commit.fence in {None, epoch}:
            await self.load_workflow(head.definition)
        if commit.user is not None and version == stands_on and commit.fence in {None, epoch}:
            known = await self.user(commit.user.name)
            if known.version != commit.user.version - 1:
                raise UserConflict(known.name, commit.user.version - 1, known.version)
        raise moved_on(head.id, stands_on, version)

    async def _refuse_birth(self, head: Head) -> NoReturn:
        if await self._read(queries.STANDING, {"id": kept(head.id)}):
            raise AgentExists(head.id)
        raise DefinitionMissing(self.url, head.definition)

    async def _ask_time(self) -> int:
        return int((await self._read(queries.NOW, {}))[0][0])
