"""Agents in one SQLite file: ``sqlite:///relative.db``, ``sqlite:////absolute.db``.

Any number of processes may have the file open. Reads run on the loop's own connection, each in one consistent
view; writes go through the group commit of ``writer``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Self, TypeVar

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Record, Size
from fsm_agent.domain.step import Event, Step
from fsm_agent.errors import DefinitionMissing, StoreUrlInvalid
from fsm_agent.stores import codec, damage
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.sqlite import commits, effects, leases, reads, thread_statements, writes
from fsm_agent.stores.sqlite.connection import connect, one
from fsm_agent.stores.sqlite.errors import shown
from fsm_agent.stores.sqlite.group_commit import LOOP_BUSY_MS, GroupCommit
from fsm_agent.stores.sqlite.listing import SqliteListing
from fsm_agent.stores.sqlite.scans import Scans
from fsm_agent.stores.sqlite.schema import open_file

T = TypeVar("T")


_DEFINITIONS: Final = """
SELECT CAST(hash AS BLOB) FROM definitions WHERE hash > CAST(? AS TEXT) ORDER BY hash LIMIT ?
"""


class SqliteStore(SqliteListing):
    """See the module. Opening makes the file, never its folder; ``patience_ms`` is how long a writer waits for
    another process before it says that the database is locked."""

    keeps_problems = True
    needs_loop = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        namespace: str = "default",
        clock: Callable[[], int] | None = None,
        patience_ms: int = 10_000,
    ) -> None:
        self.url = shown(f"sqlite:///{os.fspath(path)}")
        self.namespace = namespace
        self._space = "" if namespace == writes.DEFAULT else namespace
        self._path = os.path.join(os.getcwd(), path)
        self._place = (os.path.realpath(self._path), self._space)
        self._clock = SteadyClock(clock)
        with self._translated():
            self._db = open_file(self._path, busy_ms=patience_ms)
            self._db.set_busy_timeout(LOOP_BUSY_MS)
        again = partial(connect, self._path, busy_ms=patience_ms)
        self._writer, self._scans = GroupCommit(self._db, again), Scans(again)

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        if not rest.startswith("/") or rest == "/" or "\0" in rest:
            raise StoreUrlInvalid("a sqlite:// URL names a file: write sqlite:///relative.db or sqlite:////absolute.db")
        path = rest[1:].rstrip("/") or "/"
        if os.path.isdir(path):
            raise StoreUrlInvalid(f"the store {path!r} is a folder, and a database is a file: name one in it")
        folder, name = os.path.split(path)
        if not os.path.isdir(folder or "."):
            folder, name = os.path.split(shown(path))
            raise StoreUrlInvalid(f"the folder {folder!r} of the store {name!r} does not exist: make it")
        return cls(path, namespace=namespace, clock=clock)

    async def now(self) -> int:
        return self._clock.now()

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        if self._definition(definition_hash) is None:
            await self._write_shared(writes.saving_workflow(definition_hash, definition))

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        with damage.reading_definition(definition_hash, "definitions"):
            if (text := self._definition(definition_hash)) is not None:
                return damage.checked(dict, codec.decode(text))
        raise DefinitionMissing(self.url, definition_hash)

    async def create(self, creation: Creation) -> Head:
        return await self._write(writes.creating(self._space, creation, self.url))

    async def find_key(self, key: str) -> tuple[str, str] | None:
        with self._translated():
            query = "SELECT id, fingerprint FROM starts WHERE namespace = ? AND key = ?"
            with damage.reading_shared(f"the key {key!r} of a creation", "starts"):
                found = one(self._db, query, self._space, key)
        return (found[0], found[1]) if found else None

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        with self._one_view() as db:
            record = reads.record(db, self._space, agent_id, key)
        self._clock.seen(record.head.updated_ms)
        return record

    async def commit(self, commit: Commit) -> Committed:
        committed = await self._write(commits.committing(self._space, commit, self.url))
        self._clock.seen(commit.head.updated_ms)
        return committed

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        return await self._write(writes.enqueuing(self._space, agent_id, version, event, fingerprint))

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        return await self._write(leases.claiming(self._space, agent_id, seen, lease))

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        now_ms = self._clock.now()
        unit = leases.taking(self._space, limit, lease, now_ms=now_ms, workflows=workflows, without=without)
        return await self._write(unit)

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        return await self._write(leases.renewing(self._space, agent_id, epoch, lease))

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        return await self._write(leases.renewing_all(self._space, held, lease))

    async def ring(self) -> None:
        from fsm_agent.stores.sqlite import bell  # which a process that only reads does not need

        bell.ring(self._place)

    async def listen(self, heard: Callable[[], None]) -> None:
        from fsm_agent.stores.sqlite import bell

        await bell.listen(self._place, heard)

    async def release(self, agent_id: str, epoch: int) -> None:
        await self._write(leases.releasing(self._space, agent_id, epoch))

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
        note: Callable[[Head], Head] = lambda head: head.tried(attempts, retry_ms, children, problem)  # noqa: E731
        await self._write(writes.recording_attempt(self._space, agent_id, epoch, note))

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        return await self._write(effects.beginning(self._space, agent_id, entry, again=again))

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        return await self._write(effects.ending(self._space, agent_id, entry))

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        with self._one_view() as db:
            known = self._read(agent_id)
            with damage.reading(agent_id, "effects"):
                return effects.since(db, known.agent, activation)

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        with self._one_view() as db:
            return reads.history(db, self._read(agent_id), after=after, limit=limit)

    async def origin(self, agent_id: str) -> Origin | None:
        with self._one_view() as db:
            known = self._read(agent_id)
            with damage.reading(agent_id, "origin"):
                return reads.origin(db, known.agent)

    async def shorten(self, seen: Head, origin: Origin) -> int:
        from fsm_agent.stores.sqlite import transfer

        return await self._write(transfer.shortening(self._space, seen, origin))

    async def delete(self, seen: Head) -> None:
        from fsm_agent.stores.sqlite import transfer

        await self._write(transfer.deleting(self._space, seen))

    async def size(self, agent_id: str) -> Size:
        from fsm_agent.stores.sqlite import transfer

        with self._one_view() as db:
            return transfer.size_of(db, self._space, self._read(agent_id))

    async def dump(self, agent_id: str) -> AgentExport:
        from fsm_agent.stores.sqlite import transfer

        with self._one_view() as db:
            return transfer.export(db, self._space, self._read(agent_id))

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        from fsm_agent.stores.sqlite import transfer

        await self._write(transfer.adopting(self._space, export, replaces, self.url))

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        with self._translated():
            return thread_statements.names_of(self._db, _DEFINITIONS, after or "", limit)

    async def inspect(self) -> Sequence[Damage]:
        from fsm_agent.stores.sqlite import defects  # which nothing else here needs

        with self._one_view() as db:
            return list(defects.inspect(db, self._space))

    async def reindex(self) -> int:
        from fsm_agent.stores.sqlite import reindex

        with self._translated():
            wrong = await self._scans.read(lambda db: [*reindex.differences(db, self._space)])
        return sum([await self._write(reindex.mending(self._space, batch)) for batch in reindex.batches(wrong)])

    async def close(self) -> None:
        with self._translated():
            self._scans.close()
            await self._writer.close()
            self._db.close()

    def _definition(self, definition_hash: str) -> str | None:
        with self._translated():
            found = one(self._db, "SELECT definition FROM definitions WHERE hash = ?", definition_hash)
        return found[0] if found else None
