"""Agents in one SQLite file: ``sqlite:///relative.db``, ``sqlite:////absolute.db``.

Any number of processes may have the file open. Reads run on the loop's own connection, each in one consistent
view; writes go through the group commit of ``writer``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Self, TypeVar

import apsw

from fsm_agent.agent import Head, Status
from fsm_agent.effect import EffectEntry
from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.jsontypes import Json
from fsm_agent.lease import Lease
from fsm_agent.message import Message
from fsm_agent.problem import Problem
from fsm_agent.record import Commit, Committed, Creation, Dossier, Origin, Page, Record, Size
from fsm_agent.step import Event, Step
from fsm_agent.stores import codec
from fsm_agent.stores.base import Store, definition_missing
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.sqlite import commits, effects, reading, talk, units, whole
from fsm_agent.stores.sqlite.connection import Connection, connect
from fsm_agent.stores.sqlite.errors import store_error
from fsm_agent.stores.sqlite.rows import one, rows
from fsm_agent.stores.sqlite.schema import open_file
from fsm_agent.stores.sqlite.transaction import Unit
from fsm_agent.stores.sqlite.writer import LOOP_BUSY_MS, GroupCommit
from fsm_agent.user import UserRecord

T = TypeVar("T")

_DUE: Final = """
SELECT id FROM agents
WHERE namespace = ? AND wake_ms <= ? AND (until_ms IS NULL OR until_ms <= ?)
ORDER BY wake_ms LIMIT ?
"""
_LIST: Final = f"""
{units.SELECT_HEAD}
WHERE namespace = ?1 AND id > ?2 AND (?3 = 0 OR (?3 >> status) & 1) AND (?4 IS NULL OR name = ?4)
ORDER BY id LIMIT ?5
"""
_FIND_IDS: Final = """
SELECT id FROM agents
WHERE namespace = ?1 AND (substr(id, 1, ?3) = ?2 OR substr(id, -?3) = ?2)
ORDER BY id LIMIT ?4
"""


class SqliteStore(Store):
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
        self.url = f"sqlite:///{os.fspath(path)}"
        self.namespace = namespace
        self._space = "" if namespace == units.DEFAULT else namespace
        self._path = os.path.join(os.getcwd(), path)
        self._clock = SteadyClock(clock)
        with self._translated():
            self._db = open_file(self._path, busy_ms=patience_ms)
            self._db.set_busy_timeout(LOOP_BUSY_MS)
        self._writer = GroupCommit(self._db, partial(connect, self._path, busy_ms=patience_ms))

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        if not rest.startswith("/") or rest == "/" or "\0" in rest:
            raise StoreUrlInvalid("a sqlite:// URL names a file: write sqlite:///relative.db or sqlite:////absolute.db")
        path = rest[1:].rstrip("/") or "/"
        if os.path.isdir(path):
            raise StoreUrlInvalid(f"the store {path!r} is a folder, and a database is a file: name one in it")
        folder, name = os.path.split(path)
        if not os.path.isdir(folder or "."):
            raise StoreUrlInvalid(f"the folder {folder!r} of the store {name!r} does not exist: make it")
        return cls(path, namespace=namespace, clock=clock)

    async def now(self) -> int:
        return self._clock.now()

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        if self._definition(definition_hash) is None:
            await self._write(units.saving_workflow(definition_hash, definition))

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        text = self._definition(definition_hash)
        if text is None:
            raise definition_missing(self.url, definition_hash)
        definition: Mapping[str, Json] = codec.decode(text)
        return definition

    async def create(self, creation: Creation) -> Head:
        return await self._write(units.creating(self._space, creation, self.url))

    async def find_key(self, key: str) -> tuple[str, str] | None:
        with self._translated():
            query = "SELECT id, fingerprint FROM starts WHERE namespace = ? AND key = ?"
            found = one(self._db, query, self._space, key)
        return (found[0], found[1]) if found else None

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        with self._one_view() as db:
            known, snapshot = units.read_with_snapshot(db, self._space, agent_id)
            agent, head = known.agent, known.head
            self._clock.seen(head.updated_ms)
            return Record(
                head=head,
                snapshot=snapshot,
                tail=reading.tail(db, known, snapshot),
                queue=reading.queue(db, agent) if head.queued else (),
                outcome=reading.outcome(db, agent, key) if key is not None else None,
            )

    async def head(self, agent_id: str) -> Head:
        with self._translated():
            return self._read(agent_id).head

    async def commit(self, commit: Commit) -> Committed:
        committed = await self._write(commits.committing(self._space, commit, self.url))
        self._clock.seen(commit.head.updated_ms)
        return committed

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        return await self._write(units.enqueuing(self._space, agent_id, version, event, fingerprint))

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        return await self._write(units.claiming(self._space, agent_id, seen, lease))

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        return await self._write(units.renewing(self._space, agent_id, epoch, lease))

    async def release(self, agent_id: str, epoch: int) -> None:
        await self._write(units.releasing(self._space, agent_id, epoch))

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
        await self._write(units.recording_attempt(self._space, agent_id, epoch, note))

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        return await self._write(whole.beginning_effect(self._space, agent_id, entry, again=again))

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        return await self._write(whole.ending_effect(self._space, agent_id, entry))

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        with self._one_view() as db:
            return effects.since(db, self._read(agent_id).agent, activation)

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        with self._translated():
            return [agent_id for (agent_id,) in rows(self._db, _DUE, self._space, now_ms, now_ms, limit)]

    async def held_here(self, host: str) -> Sequence[Head]:
        with self._translated():
            query = f"{units.SELECT_HEAD} WHERE namespace = ? AND host = ?"
            return [self._seen(row) for row in rows(self._db, query, self._space, host)]

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        wanted = sum(1 << codec.status_number(status) for status in set(statuses))
        with self._translated():
            found = rows(self._db, _LIST, self._space, after or "", wanted, workflow, limit + 1)
            heads = tuple(self._seen(row) for row in found)
        return Page(heads[:limit], heads[limit - 1].id if len(heads) > limit else None)

    async def find_ids(self, part: str, *, limit: int) -> Sequence[str]:
        with self._translated():
            return [row[0] for row in rows(self._db, _FIND_IDS, self._space, part, len(part), limit)]

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        with self._one_view() as db:
            return reading.history(db, self._read(agent_id), after=after, limit=limit)

    async def origin(self, agent_id: str) -> Origin | None:
        with self._one_view() as db:
            return whole.origin_of(db, self._read(agent_id).agent)

    async def shorten(self, seen: Head, origin: Origin) -> int:
        return await self._write(whole.shortening(self._space, seen, origin))

    async def delete(self, seen: Head) -> None:
        await self._write(whole.deleting(self._space, seen))

    async def size(self, agent_id: str) -> Size:
        with self._one_view() as db:
            return whole.size_of(db, self._space, self._read(agent_id))

    async def dump(self, agent_id: str) -> Dossier:
        with self._one_view() as db:
            return reading.dossier(db, self._space, self._read(agent_id))

    async def adopt(self, dossier: Dossier, *, replaces: Head | None = None) -> None:
        await self._write(whole.adopting(self._space, dossier, replaces, self.url))

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        with self._one_view() as db:
            return talk.read(db, self._space, thread, after=after, upto=upto, limit=limit, newest=newest)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write(talk.appending(self._space, thread, messages))

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write(talk.revising(self._space, thread, messages))

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return await self._write(talk.retracting(self._space, thread, after, upto))

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        with self._translated():
            return talk.names(self._db, self._space, limit, after)

    async def user(self, name: str) -> UserRecord:
        with self._translated():
            return talk.user(self._db, self._space, name)

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        with self._translated():
            return talk.users(self._db, self._space, limit, after)

    async def save_user(self, user: UserRecord) -> None:
        await self._write(talk.saving_user(self._space, user))

    async def close(self) -> None:
        with self._translated():
            await self._writer.close()
            self._db.close()

    async def _write(self, unit: Unit[T]) -> T:
        try:
            return await self._writer.write(unit)
        except apsw.Error as error:
            raise store_error(error, self._path) from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise store_error(error, self._path) from error

    @contextmanager
    def _one_view(self) -> Iterator[Connection]:
        """A read transaction: several queries see the same commits."""
        db = self._db
        try:
            db.at_hand.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:  # an I/O error may have ended it
                    db.at_hand.execute("COMMIT")
        except apsw.Error as error:
            raise store_error(error, self._path) from error

    def _definition(self, definition_hash: str) -> str | None:
        with self._translated():
            found = one(self._db, "SELECT definition FROM workflows WHERE hash = ?", definition_hash)
        return found[0] if found else None

    def _read(self, agent_id: str) -> units.Kept:
        known = units.read_agent(self._db, self._space, agent_id)
        self._clock.seen(known.head.updated_ms)
        return known

    def _seen(self, row: tuple[Any, ...]) -> Head:
        head = units.kept_of(row).head
        self._clock.seen(head.updated_ms)
        return head
