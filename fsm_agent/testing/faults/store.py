"""A store with failpoints around every write, which notes every write in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Page, Record, Size
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import Refused, StoreError
from fsm_agent.stores.base import Store
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, Outcome

T = TypeVar("T")


class Liveness(Protocol):
    """Whether a writer is alive. A process always is; a task must ask."""

    async def check(self) -> None:
        """Return at once, or when a frozen writer goes on. Raises ``WriterKilled`` if it was killed."""


class FaultyStore(Store):
    """Passes every verb on to ``inner``."""

    def __init__(
        self, inner: Store, journal: Journal, failpoints: Failpoints, liveness: Liveness | None = None
    ) -> None:
        self.inner = inner
        self.url, self.namespace, self.keeps_problems = inner.url, inner.namespace, inner.keeps_problems
        self._journal = journal
        self._failpoints = failpoints
        self._liveness = liveness
        self._newest_ms = 0

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> NoReturn:
        raise TypeError(f"a faulty store is wrapped around an open one: {rest!r}, {namespace!r}, {clock!r}")

    async def now(self) -> int:
        now_ms = await self._read(self.inner.now)
        if now_ms < self._newest_ms:
            self._journal.note("clock", {"was": self._newest_ms, "is": now_ms})
        self._newest_ms = now_ms
        return now_ms

    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        await self._read(lambda: self.inner.save_workflow(definition_hash, definition))

    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        return await self._read(lambda: self.inner.load_workflow(definition_hash))

    async def create(self, creation: Creation) -> Head:
        head = creation.head
        facts = {"agent": head.id, "version": head.version, "key": creation.key, "definition": head.definition}
        return await self._write(
            "create", facts, lambda: self.inner.create(creation), lambda made: {"epoch": made.epoch}
        )

    async def find_key(self, key: str) -> tuple[str, str] | None:
        return await self._read(lambda: self.inner.find_key(key))

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        return await self._read(lambda: self.inner.load(agent_id, key=key))

    async def head(self, agent_id: str) -> Head:
        return await self._read(lambda: self.inner.head(agent_id))

    async def commit(self, commit: Commit) -> Committed:
        step = commit.step
        facts = {"agent": commit.head.id, "version": step.version, "epoch": commit.epoch, "key": commit.key}
        facts |= {
            "event": step.event,
            "kind": str(step.kind),
            "token": token_of(step),
            "merged": (step.reason or "").startswith("merged"),
        }
        return await self._write("commit", facts, lambda: self.inner.commit(commit), Committed._asdict)

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        facts = {"agent": agent_id, "version": version, "key": event.key, "token": token_of(event)}
        return await self._write(
            "enqueue",
            facts,
            lambda: self.inner.enqueue(agent_id, version, event, fingerprint),
            lambda queued: {"queued": queued},
        )

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        facts: dict[str, Any] = {"agent": agent_id, "epoch": seen.epoch, "held_by": None}
        if seen.lease:
            now_ms = lease.until_ms - LEASE_MS
            facts |= {"held_by": holder_name(seen.lease.holder), "left_ms": seen.lease.until_ms - now_ms}
        return await self._write(
            "claim", facts, lambda: self.inner.claim(agent_id, seen, lease), lambda epoch: {"epoch": epoch}
        )

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        facts = {"agent": agent_id, "epoch": epoch}
        return await self._write(
            "renew", facts, lambda: self.inner.renew(agent_id, epoch, lease), lambda held: {"held": held}
        )

    async def release(self, agent_id: str, epoch: int) -> None:
        facts = {"agent": agent_id, "epoch": epoch}
        await self._write("release", facts, lambda: self.inner.release(agent_id, epoch))

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
        facts = {"agent": agent_id, "epoch": epoch, "attempts": attempts}
        work = partial(self.inner.record_attempt, agent_id, epoch, attempts=attempts)
        await self._write("record_attempt", facts, partial(work, retry_ms=retry_ms, children=children, problem=problem))

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        facts = {"agent": agent_id, "epoch": entry.epoch, "key": entry.key, "mode": str(entry.mode), "again": again}

        def describe(kept: EffectEntry | None) -> dict[str, Any]:
            """``granted``: the caller may execute the effect."""
            return {"granted": kept is None or (again and kept.is_open), "recorded": bool(kept and not kept.is_open)}

        return await self._write(
            "begin_effect", facts, lambda: self.inner.begin_effect(agent_id, entry, again=again), describe
        )

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        facts = {"agent": agent_id, "epoch": entry.epoch, "key": entry.key, "result": entry.result}
        return await self._write(
            "end_effect", facts, lambda: self.inner.end_effect(agent_id, entry), lambda done: {"is": done}
        )

    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        return await self._read(lambda: self.inner.effects(agent_id, activation=activation))

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        return await self._read(lambda: self.inner.due(now_ms, limit))

    async def held_here(self, host: str) -> Sequence[Head]:
        return await self._read(lambda: self.inner.held_here(host))

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        return await self._read(lambda: self.inner.lapsed(now_ms, limit))

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        return await self._read(lambda: self.inner.list_in(statuses, workflow=workflow, limit=limit, after=after))

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        return await self._read(lambda: self.inner.history(agent_id, after=after, limit=limit))

    async def origin(self, agent_id: str) -> Origin | None:
        return await self._read(lambda: self.inner.origin(agent_id))

    async def shorten(self, seen: Head, origin: Origin) -> int:
        return await self._write(
            "shorten", {"agent": seen.id, "version": origin.head.version}, lambda: self.inner.shorten(seen, origin)
        )

    async def delete(self, seen: Head) -> None:
        await self._write("delete", {"agent": seen.id, "status": str(seen.status)}, lambda: self.inner.delete(seen))

    async def size(self, agent_id: str) -> Size:
        return await self._read(lambda: self.inner.size(agent_id))

    async def dump(self, agent_id: str) -> AgentExport:
        return await self._read(lambda: self.inner.dump(agent_id))

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        facts = {"agent": export.head.id}
        await self._write("adopt", facts, lambda: self.inner.adopt(export, replaces=replaces))

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        work = partial(self.inner.messages, thread, after=after, upto=upto, limit=limit, newest=newest)
        return await self._read(work)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        facts = {"thread": thread, "messages": len(messages)}
        return await self._write(
            "append", facts, lambda: self.inner.append(thread, messages), lambda last: {"last": last}
        )

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write("revise", {"thread": thread}, lambda: self.inner.revise(thread, messages))

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return await self._write(
            "retract", {"thread": thread}, lambda: self.inner.retract(thread, after=after, upto=upto)
        )

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._read(lambda: self.inner.threads(limit=limit, after=after))

    async def user(self, name: str) -> UserRecord:
        return await self._read(lambda: self.inner.user(name))

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._read(lambda: self.inner.users(limit=limit, after=after))

    async def save_user(self, user: UserRecord) -> None:
        facts = {"user": user.name, "version": user.version}
        await self._write("save_user", facts, lambda: self.inner.save_user(user))

    async def tend(self) -> int:
        return await self._read(self.inner.tend)

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._read(lambda: self.inner.definitions(limit=limit, after=after))

    async def inspect(self) -> Sequence[Damage]:
        return await self._read(self.inner.inspect)

    async def close(self) -> None:
        await self.inner.close()

    async def _read(self, work: Callable[[], Awaitable[T]]) -> T:
        await self._check_alive()
        reply = await work()
        await self._check_alive()
        return reply

    async def _write(
        self,
        verb: str,
        facts: Mapping[str, Any],
        work: Callable[[], Awaitable[T]],
        describe: Callable[[T], Mapping[str, Any]] = lambda _: {},
    ) -> T:
        """Do a write, noted before and after. If the writer ends in between, nobody knows the outcome."""
        await self._check_alive()
        number = self._journal.begin(verb, facts)
        self._failpoints.reach(verb, "before")
        try:
            with self._failpoints.during(verb):
                reply = await work()
        except BaseException as error:
            self._journal.end(number, verb, outcome_of(error), {"type": type(error).__name__, "why": str(error)})
            raise
        self._failpoints.reach(verb, "after")
        self._journal.end(number, verb, "ok", describe(reply))
        await self._check_alive()
        return reply

    async def _check_alive(self) -> None:
        if self._liveness is not None:
            await self._liveness.check()


def holder_name(holder: Holder) -> str:
    """A name that no other holder has."""
    return "/".join(map(str, holder))


def outcome_of(error: BaseException) -> Outcome:
    """What an error says about a call."""
    match error:
        case Refused():
            return "refused"
        case StoreError():
            return "failed"
        case asyncio.CancelledError():
            return "lost"
        case _:
            return "broken"


def token_of(said: Event | Step) -> str | None:
    """The token by which the workload recognises an event."""
    token = said.payload.get("token")
    return token if isinstance(token, str) else None
