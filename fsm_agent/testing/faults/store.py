"""A store with failpoints around every write, which notes every write in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.lease import LEASE_MS, Claimed, Holder, Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Origin
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import Refused, StoreError
from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, Outcome

P = ParamSpec("P")
T = TypeVar("T")


class Liveness(Protocol):
    """Whether a writer is alive. A process always is; a task must ask."""

    async def check(self) -> None:
        """Return at once, or when a frozen writer goes on. Raises ``WriterKilled`` if it was killed."""


def _unnoted(
    verb: Callable[Concatenate[Any, P], Awaitable[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A method that calls the same verb of the store within while the writer is alive, and notes nothing."""
    verb_of = attrgetter(verb.__name__)

    async def unnoted(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._check_alive()
        reply: T = await verb_of(self._store)(*args, **kwargs)
        await self._check_alive()
        return reply

    return unnoted


class FaultyStore(ForwardingStore):
    """Hands every verb on to ``inner``. ``lease_ms`` is how long the leases are that the writer takes."""

    def __init__(
        self,
        inner: Store,
        journal: Journal,
        failpoints: Failpoints,
        liveness: Liveness | None = None,
        lease_ms: int = LEASE_MS,
    ) -> None:
        super().__init__(inner)
        self._lease_ms = lease_ms
        self._journal = journal
        self._failpoints = failpoints
        self._liveness = liveness
        self._newest_ms = 0

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> NoReturn:
        raise TypeError(f"a faulty store is wrapped around an open one: {rest!r}, {namespace!r}, {clock!r}")

    async def now(self) -> int:
        now_ms = await self._now()
        if now_ms < self._newest_ms:
            self._journal.note("clock", {"was": self._newest_ms, "is": now_ms})
        self._newest_ms = now_ms
        return now_ms

    _now = _unnoted(Store.now)
    save_workflow = _unnoted(Store.save_workflow)
    load_workflow = _unnoted(Store.load_workflow)
    find_key = _unnoted(Store.find_key)
    load = _unnoted(Store.load)
    head = _unnoted(Store.head)
    effects = _unnoted(Store.effects)
    due = _unnoted(Store.due)
    held_here = _unnoted(Store.held_here)
    lapsed = _unnoted(Store.lapsed)
    ring = _unnoted(Store.ring)
    listen = _unnoted(Store.listen)
    list_in = _unnoted(Store.list_in)
    heads = _unnoted(Store.heads)
    select = _unnoted(Store.select)
    questions = _unnoted(Store.questions)
    count_questions = _unnoted(Store.count_questions)
    tally = _unnoted(Store.tally)
    find_ids = _unnoted(Store.find_ids)
    history = _unnoted(Store.history)
    origin = _unnoted(Store.origin)
    size = _unnoted(Store.size)
    dump = _unnoted(Store.dump)
    messages = _unnoted(Store.messages)
    threads = _unnoted(Store.threads)
    user = _unnoted(Store.user)
    users = _unnoted(Store.users)
    tend = _unnoted(Store.tend)
    definitions = _unnoted(Store.definitions)
    inspect = _unnoted(Store.inspect)
    reindex = _unnoted(Store.reindex)

    async def create(self, creation: Creation) -> Head:
        head = creation.head
        facts = {"agent": head.id, "version": head.version, "key": creation.key, "definition": head.definition}
        facts |= {"until_ms": creation.lease and creation.lease.until_ms}
        return await self._write(
            "create", facts, lambda: self._store.create(creation), lambda made: {"epoch": made.epoch}
        )

    async def commit(self, commit: Commit) -> Committed:
        step = commit.step
        facts = {"agent": commit.head.id, "version": step.version, "epoch": commit.epoch, "key": commit.key}
        facts |= {
            "event": step.event,
            "kind": str(step.kind),
            "token": token_of(step),
            "merged": (step.reason or "").startswith("merged"),
            "until_ms": commit.lease and commit.lease.until_ms,
        }
        return await self._write("commit", facts, lambda: self._store.commit(commit), Committed._asdict)

    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        facts = {"agent": agent_id, "version": version, "key": event.key, "token": token_of(event)}
        return await self._write(
            "enqueue",
            facts,
            lambda: self._store.enqueue(agent_id, version, event, fingerprint),
            lambda queued: {"queued": queued},
        )

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        facts: dict[str, Any] = {"agent": agent_id, "epoch": seen.epoch, "held_by": None, "until_ms": lease.until_ms}
        if seen.lease:
            now_ms = lease.until_ms - self._lease_ms
            facts |= {"held_by": holder_name(seen.lease.holder), "left_ms": seen.lease.until_ms - now_ms}
        return await self._write(
            "claim", facts, lambda: self._store.claim(agent_id, seen, lease), lambda epoch: {"epoch": epoch}
        )

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        async def work() -> tuple[Sequence[Claimed], int]:
            """And what the clock says then: no lease that has been taken runs longer."""
            claimed = await self._store.take(limit, lease, workflows=workflows, without=without)
            return claimed, await self._store.now()

        def describe(reply: tuple[Sequence[Claimed], int]) -> Mapping[str, Any]:
            return {"claimed": dict(reply[0]), "now_ms": reply[1]}

        facts = {"limit": limit, "until_ms": lease.until_ms}
        return (await self._write("take", facts, work, describe))[0]

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        facts = {"held": dict(held), "until_ms": lease.until_ms}
        return await self._write(
            "renew_all", facts, lambda: self._store.renew_all(held, lease), lambda renewed: {"renewed": [*renewed]}
        )

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        facts = {"agent": agent_id, "epoch": epoch, "until_ms": lease.until_ms}
        return await self._write(
            "renew", facts, lambda: self._store.renew(agent_id, epoch, lease), lambda held: {"held": held}
        )

    async def release(self, agent_id: str, epoch: int) -> None:
        facts = {"agent": agent_id, "epoch": epoch}
        await self._write("release", facts, lambda: self._store.release(agent_id, epoch))

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
        work = partial(self._store.record_attempt, agent_id, epoch, attempts=attempts)
        await self._write("record_attempt", facts, partial(work, retry_ms=retry_ms, children=children, problem=problem))

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        facts = {"agent": agent_id, "epoch": entry.epoch, "key": entry.key, "mode": str(entry.mode), "again": again}

        def describe(kept: EffectEntry | None) -> dict[str, Any]:
            """``granted``: the caller may execute the effect."""
            return {"granted": kept is None or (again and kept.is_open), "recorded": bool(kept and not kept.is_open)}

        return await self._write(
            "begin_effect", facts, lambda: self._store.begin_effect(agent_id, entry, again=again), describe
        )

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        facts = {"agent": agent_id, "epoch": entry.epoch, "key": entry.key, "result": entry.result}
        return await self._write(
            "end_effect", facts, lambda: self._store.end_effect(agent_id, entry), lambda done: {"is": done}
        )

    async def shorten(self, seen: Head, origin: Origin) -> int:
        return await self._write(
            "shorten", {"agent": seen.id, "version": origin.head.version}, lambda: self._store.shorten(seen, origin)
        )

    async def delete(self, seen: Head) -> None:
        await self._write("delete", {"agent": seen.id, "status": str(seen.status)}, lambda: self._store.delete(seen))

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        facts = {"agent": export.head.id}
        await self._write("adopt", facts, lambda: self._store.adopt(export, replaces=replaces))

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        facts = {"thread": thread, "messages": len(messages)}
        return await self._write(
            "append", facts, lambda: self._store.append(thread, messages), lambda last: {"last": last}
        )

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write("revise", {"thread": thread}, lambda: self._store.revise(thread, messages))

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return await self._write(
            "retract", {"thread": thread}, lambda: self._store.retract(thread, after=after, upto=upto)
        )

    async def save_user(self, user: UserRecord) -> None:
        facts = {"user": user.name, "version": user.version}
        await self._write("save_user", facts, lambda: self._store.save_user(user))

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
