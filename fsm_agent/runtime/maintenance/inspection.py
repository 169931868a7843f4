"""The inspection of a store: it reports what is wrong and what to do. It changes nothing.

It reads with the methods of ``Store`` that others use too, and replays each history to compare it with its agent. Other
processes may write meanwhile, so an agent with defects that has moved is inspected again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.defect import RESTORE, RESTORE_STORE, Defect, Inspection, defect_of
from fsm_agent.domain.lease import lease_runs
from fsm_agent.domain.message import own_thread
from fsm_agent.errors import (
    AgentDamaged,
    AgentNotFound,
    KeyMissing,
    Refused,
    SharedDamaged,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlInvalid,
)
from fsm_agent.runtime.agent_ids import is_id
from fsm_agent.runtime.maintenance.definitions import Pinning
from fsm_agent.runtime.processes import is_alive
from fsm_agent.runtime.replay import replay
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import why

_PAGE: Final = 500
#: how often a moving agent is inspected
_TRIES: Final = 3
#: no process takes a longer lease
_LONGEST_LEASE_MS: Final = 3_600_000
#: a worker should have found a lease that ran out so long ago
_OVERDUE_MS: Final = 60_000

_REPLAY: Final = (
    "`fsm-agent replay {id}` shows the whole history; rewind to a version that adds up, or restore a backup"
)
_KEY: Final = "add that key to FSM_AGENT_KEYS"
_WORKER: Final = "start a worker, or `fsm-agent resume {id}`"
_ODD_LEASE: Final = "no process takes a lease for so long: restore the agent from a backup, or wait"
_MODULE: Final = "start a worker that has it (`--module`), or `fsm-agent resume {id}`, which parks the agent without it"
_RESUME: Final = "`fsm-agent resume {id}` drives it on; if it shows again after that, restore it from a backup"

#: errors of the whole store, not of one agent
_BEYOND: Final = (StoreUnavailable, StoreTooNew, StoreUrlInvalid)


async def inspect(store: Store) -> Inspection:
    """Inspect everything in the store's namespace. Raises ``StoreUnavailable`` if the store does not answer."""
    inspector = _Inspector(store)
    await inspector.run()
    inspection = inspector.inspection
    inspection.defects = list(dict.fromkeys(inspection.defects))
    return inspection


class _Inspector:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.inspection = Inspection()
        self._pinning = Pinning(store)

    async def run(self) -> None:
        found = self.inspection
        found.defects += await self._store_itself()
        async for definition in self._names("definitions", self._store.definitions):
            found.definitions += 1
            found.defects += await self._pinning.of_definition(definition)
        await self._agents()
        found.unreadable += len(self._pinning.unfit)
        found.defects += self._pinning.of_unusable()
        async for thread in self._names("threads", self._store.threads):
            found.threads += 1
            found.defects += await self._reading(None, f"thread {thread!r}", partial(self._thread, thread))
        async for user in self._names("users", self._store.users):
            found.users += 1
            found.defects += await self._reading(None, f"user {user!r}", partial(self._store.user, user))

    async def _store_itself(self) -> list[Defect]:
        defects: list[Defect] = []

        async def look() -> None:
            defects.extend(defect_of(damage) for damage in await self._store.inspect())

        return await self._reading(None, "the store", look) + defects

    async def _names(self, what: str, listed: Callable[..., Awaitable[Sequence[str]]]) -> AsyncIterator[str]:
        """All names of a kind, as far as they can be read."""
        after: str | None = None
        while True:
            names: list[str] = []

            async def look(after: str | None = after, names: list[str] = names) -> None:
                names.extend(await listed(limit=_PAGE, after=after))

            self.inspection.defects += await self._reading(None, what, look)
            for name in names:
                yield name
            if not names:
                return
            after = names[-1]

    async def _thread(self, name: str) -> None:
        after = 0
        while messages := await self._store.messages(name, after=after, limit=_PAGE):
            after = messages[-1].number

    async def _agents(self) -> None:
        found, after, is_more = self.inspection, None, True
        known: set[str] = set()
        overdue: set[str] = set()
        while is_more:
            now_ms = await self._store.now()
            page = await self._store.list(limit=_PAGE, after=after)
            found.agents += len(page.heads) + len(page.damaged)
            found.unreadable += len(page.damaged)
            found.defects += self._pinning.of_damaged(page.damaged)
            for head in page.heads:
                found.defects += await self._settled(head)
                if _is_overdue(head, now_ms):
                    overdue.add(head.id)
            known |= {head.id for head in page.heads} | {damage.agent_id for damage in page.damaged}
            after, is_more = page.next, page.next is not None
        found.defects += await self._due(known, overdue)

    async def _settled(self, head: Head) -> list[Defect]:
        """Defects of an agent that were found while it did not move."""
        defects: list[Defect] = []
        for _ in range(_TRIES):
            defects = await self._agent(head)
            try:
                now = await self._store.head(head.id)
            except AgentNotFound:
                return []
            except StoreCorrupt:
                return defects
            if not defects or (now.version, now.epoch, now.queued) == (head.version, head.epoch, head.queued):
                return defects
            head = now
        return defects

    async def _agent(self, head: Head) -> list[Defect]:
        if head.version < 0 and not (await self._store.size(head.id)).steps:
            return []  # the stub of a tiered store, whose other tier has the agent
        odd = list(_odd_id(head.id))
        unfit = await self._pinning.of_agent(head)
        return [*odd, *(await self._parts(head) if unfit is None else unfit)]

    async def _parts(self, head: Head) -> list[Defect]:
        """Defects of the stored parts of an agent besides its head."""
        store, agent_id = self._store, head.id
        defects: list[Defect] = []
        for place, read in (
            ("head", lambda: store.head(agent_id)),
            ("snapshot", lambda: store.load(agent_id)),
            ("history", lambda: store.history(agent_id)),
            ("origin", lambda: store.origin(agent_id)),
            ("effects", lambda: store.effects(agent_id)),
            ("messages", lambda: self._thread(own_thread(agent_id))),
            ("size", lambda: store.size(agent_id)),
        ):
            defects += await self._reading(agent_id, place, read)
        defects += [each async for each in self._kept(head)]
        if not defects:
            defects += [each async for each in self._told(agent_id)]
        return [*defects, *_missing_action(head), *await self._lease(head)]

    async def _kept(self, head: Head) -> AsyncIterator[Defect]:
        """Defects that show when all parts of an agent are read together."""
        queued: list[int] = []

        async def look() -> None:
            queued.append(len((await self._store.dump(head.id)).queue))

        for defect in await self._reading(head.id, "all of it", look):
            yield defect
        if queued and queued != [head.queued]:
            yield Defect(
                head.id, "queue", f"{queued[0]} events are queued, and its head says that it is {head.queued}", RESTORE
            )

    async def _told(self, agent_id: str) -> AsyncIterator[Defect]:
        """Differences between an agent and the replay of its history."""
        defects: list[Defect] = []

        async def look() -> None:
            advice = _REPLAY.format(id=agent_id)
            replayed = await replay(self._store, agent_id)
            defects.extend(Defect(agent_id, "history", str(mismatch), advice) for mismatch in replayed.mismatches)

        for defect in await self._reading(agent_id, "history", look):
            yield defect
        for defect in defects:
            yield defect

    async def _lease(self, head: Head) -> list[Defect]:
        if head.lease is None:
            return []
        holder, now_ms = head.lease.holder, await self._store.now()
        if head.lease.until_ms > now_ms + _LONGEST_LEASE_MS:
            return [Defect(head.id, "lease", f"{holder} holds it for more than an hour from now on", _ODD_LEASE)]
        advice = _WORKER.format(id=head.id)
        if is_alive(holder) is False:
            return [Defect(head.id, "lease", f"{holder} holds it, and that process is gone", advice)]
        if head.lease.until_ms < now_ms - _OVERDUE_MS:
            what = f"{holder} held it, its lease has run out, and nobody has taken it over"
            return [Defect(head.id, "lease", what, advice)]
        return []

    async def _due(self, known: set[str], overdue: set[str]) -> list[Defect]:
        """Defects of the list of due agents: workers must find exactly the right ones."""
        due: list[str] = []

        async def look() -> None:
            due.extend(await self._store.due(await self._store.now(), len(known) + _PAGE))

        defects = await self._reading(None, "due agents", look)
        for agent_id in sorted(set(due) - known):
            with suppress(StoreCorrupt):
                if await self._head(agent_id) is None:
                    what = "workers find it, and there is no such agent"
                    defects.append(Defect(agent_id, "due agents", what, RESTORE_STORE))
        for agent_id in sorted(overdue - set(due)):
            with suppress(StoreCorrupt):
                head = await self._head(agent_id)
                if head is not None and _is_overdue(head, await self._store.now()):
                    what = "it has work to do, and no worker finds it"
                    defects.append(Defect(agent_id, "due agents", what, _RESUME.format(id=agent_id)))
        return defects

    async def _head(self, agent_id: str) -> Head | None:
        try:
            return await self._store.head(agent_id)
        except AgentNotFound:
            return None

    async def _reading(self, agent: str | None, place: str, read: Callable[[], Awaitable[object]]) -> list[Defect]:
        """Defects that show when something is read."""
        try:
            await read()
        except _BEYOND:
            raise
        except Refused:  # it has moved, or is gone
            return []
        except Exception as error:  # a damaged row may cause any error
            return list(_of_error(agent, place, error))
        return []


def _odd_id(agent_id: str) -> Iterator[Defect]:
    """A defect if the id is invalid: it may look like another one, and nobody can type it."""
    if not is_id(agent_id):
        what = "its id is none that an agent is given, and cannot be typed"
        yield Defect(agent_id, "head", what, RESTORE)


def _missing_action(head: Head) -> Iterator[Defect]:
    """A defect if the workers that have taken an agent had to leave it to others."""
    problem = head.problem
    if head.status is Status.RUNNING and head.lease is None and problem and problem.is_missing_action:
        yield Defect(head.id, "action", problem.message, _MODULE.format(id=head.id))


def _is_overdue(head: Head, now_ms: int) -> bool:
    """Whether an agent has been due for so long that workers must be able to find it."""
    return head.wake_ms is not None and head.wake_ms < now_ms - _OVERDUE_MS and not lease_runs(head.lease, now_ms)


def _of_error(agent: str | None, place: str, error: Exception) -> Iterator[Defect]:
    match error:
        case AgentDamaged(agent_id=agent_id, place=where, what=what):
            yield Defect(agent_id, where, what, RESTORE)
        case SharedDamaged(thing=thing, place=table, what=what):
            yield Defect(agent, thing, f"{what} (in {table})", RESTORE_STORE)
        case KeyMissing(key_id=key_id):
            yield Defect(agent, place, f"it is sealed under the key {key_id!r}, which is not given", _KEY)
        case _:
            yield Defect(agent, place, why(error), RESTORE if agent else RESTORE_STORE)
