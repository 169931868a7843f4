"""A client of the ticket workload: it does what users and operators do: rewind, migrate, forget, reseal, purge.

Each id is used once. A purge frees ids, so a late call with a used id would create another agent.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import count
from typing import Any, Final

from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.replay import Rewound
from fsm_agent.domain.retention import Retention
from fsm_agent.errors import StoreError
from fsm_agent.memory.threads import Thread
from fsm_agent.runtime.maintenance.erase import ErasureReport
from fsm_agent.runtime.maintenance.purge import Purged
from fsm_agent.runtime.maintenance.reseal import Resealed, reseal
from fsm_agent.runtime.migrate import MigrationPage
from fsm_agent.runtime.runner import Runner
from fsm_agent.testing.faults.calls import CallRecorder
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.ticket_workload import PREFIX, SHARED_THREAD, USERS, WORKFLOW, ticket_workflow

#: How many tickets are open at a time, about.
_MOST_TICKETS: Final = 4
_DELETE_ENDED: Final = {"finished": "0s"}


class OperatorClient:
    """The prefix ``name`` makes its ids and tokens unique."""

    def __init__(self, name: str, runner: Runner, journal: Journal, rng: random.Random) -> None:
        self._name, self._runner, self._rng = name, runner, rng
        self._calls = CallRecorder(journal)
        self._numbers = count(1)

    async def run(self, stopped: asyncio.Event) -> None:
        """Run operations until ``stopped`` is set."""
        while not stopped.is_set():
            await self._run_operation()
            await asyncio.sleep(self._rng.uniform(0, 0.01))

    async def _run_operation(self) -> None:
        """Start a ticket, or do something to one."""
        heads = await self._live_tickets()
        if len(heads) < _MOST_TICKETS and self._rng.random() < 0.5:
            await self._start()
        elif heads:
            operations, weights = zip(*self._operations(), strict=True)
            [operation] = self._rng.choices(operations, weights)
            await operation(self._rng.choice(heads))

    def _operations(self) -> Iterable[tuple[Callable[[Head], Awaitable[None]], int]]:
        for event, weight in {"message": 30, "tag": 12, "research": 10, "close": 3}.items():
            yield partial(self._send, event), weight
        yield self._merge, 12
        yield self._append, 10
        yield self._remember, 8
        yield self._unpark, 20
        yield self._rewind, 10
        yield self._migrate, 8
        yield self._forget, 6
        yield self._reseal, 8
        yield self._purge, 10

    async def _live_tickets(self) -> list[Head]:
        try:
            page = await self._runner.store.list(workflow=WORKFLOW, limit=200)
        except StoreError:
            return []
        return [head for head in page.heads if head.status not in ENDED]

    def _token(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    async def _start(self) -> None:
        user, token = self._rng.choice(USERS), self._token()
        agent_id = f"{PREFIX}{token}"
        facts = {"agent": agent_id, "token": token, "user": user, "key": token}
        payload = {"token": token}
        start = partial(self._runner.start, ticket_workflow(1), "message", payload, id=agent_id, user=user, key=token)
        await self._calls.call("begin", facts, start, _agent_reply)

    async def _send(self, event: str, head: Head, *, seen: int | None = None) -> None:
        token = self._token()
        facts = {"agent": head.id, "event": event, "token": token, "user": head.user, "key": token, "seen": seen}
        send = partial(self._runner.send, head.id, event, {"token": token}, key=token, expect_version=seen)
        await self._calls.call("say", facts, send, _agent_reply)

    async def _merge(self, head: Head) -> None:
        """Send two events that expect the same version; a merge policy accepts both."""
        for _ in range(2):
            await self._send("tag", head, seen=head.version)

    async def _append(self, head: Head) -> None:
        """Append a message to the shared thread, as a program does that is no agent."""
        token = self._token()
        append = partial(Thread(self._runner.store, SHARED_THREAD).append, "user", token, by=head.user)
        facts = {"thread": SHARED_THREAD, "token": token, "user": head.user}
        await self._calls.call("speak", facts, append, lambda number: {"number": number})

    async def _remember(self, _: Head) -> None:
        """Save something about a user, as a program does that is no agent."""
        user, token = self._rng.choice(USERS), self._token()
        facts = {"token": token, "user": user}
        save = partial(self._save_user, user, token)
        await self._calls.call("remember", facts, save, lambda saved: {"version": saved})

    async def _save_user(self, user: str, token: str) -> int:
        known = await self._runner.store.user(user)
        likes = [*known.values.get("likes", []), token]
        version = known.version + 1
        await self._runner.store.save_user(known._replace(version=version, values={**known.values, "likes": likes}))
        return version

    async def _unpark(self, head: Head) -> None:
        if head.status is Status.PARKED:
            await self._calls.call("unpark", {"agent": head.id}, partial(self._runner.unpark, head.id), _agent_reply)

    async def _rewind(self, head: Head) -> None:
        version = self._rng.randint(1, head.version)
        facts = {"agent": head.id, "to": version}
        await self._calls.call("rewind", facts, partial(self._runner.rewind, head.id, version), _rewind_reply)

    async def _migrate(self, head: Head) -> None:
        move = partial(self._runner.migrate, ticket_workflow(2), [head.id], apply=True)
        await self._calls.call("migrate", {"agent": head.id}, move, _migrate_reply)

    async def _forget(self, head: Head) -> None:
        if head.user is not None:
            forget = partial(self._runner.forget, head.user, by="operator")
            await self._calls.call("forget", {"user": head.user}, forget, _forget_reply)

    async def _reseal(self, head: Head) -> None:
        """Reseal one agent, and now and then all of them."""
        agent_ids = [] if self._rng.random() < 0.2 else [head.id]
        work = partial(reseal, self._runner.store, agent_ids)
        await self._calls.call("reseal", {"agents": agent_ids}, work, _reseal_reply)

    async def _purge(self, head: Head) -> None:
        """Delete tickets that have ended, or shorten the history of one."""
        if self._rng.random() < 0.5:
            work = partial(self._runner.purge, Retention.read(_DELETE_ENDED), workflow=WORKFLOW)
        else:
            keep = Retention.read({"history": max(1, head.version - 2)})
            work = partial(self._runner.purge, keep, agent_ids=[head.id])
        await self._calls.call("purge", {"agent": head.id}, work, _purge_reply)


def _agent_reply(agent: Agent) -> dict[str, Any]:
    return {"delivery": agent.delivery, "version": agent.version, "status": str(agent.status)}


def _rewind_reply(rewound: Rewound) -> dict[str, Any]:
    return _agent_reply(rewound.agent)


def _migrate_reply(moves: MigrationPage) -> dict[str, Any]:
    return {"verdicts": [str(outcome.verdict) for outcome in moves.outcomes]}


def _forget_reply(forgotten: ErasureReport) -> dict[str, Any]:
    return {"erased": sum(forgotten.erased.values()), "left": sorted(forgotten.left)}


def _reseal_reply(resealed: Resealed) -> dict[str, Any]:
    return {"agents": list(resealed.agents), "left": sorted(resealed.left)}


def _purge_reply(purged: Purged) -> dict[str, Any]:
    return {"deleted": list(purged.deleted), "shortened": dict(purged.shortened)}
