"""A client that lets agents serve people, and does what operators do: rewind, migrate, forget, reseal, purge.

Ids of these agents are used once: a purge frees them, and whoever came late would bring another agent into being.
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
from fsm_agent.testing.faults.calls import Caller
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.ticket_workload import NAME, PREFIX, ROOM, USERS, visit

#: how many of them live at a time, as far as this client knows
_MOST: Final = 4
_FINISHED: Final = {"finished": "0s"}


class Upkeep:
    """``name`` makes its agents and its tokens its own."""

    def __init__(self, name: str, runner: Runner, journal: Journal, chance: random.Random) -> None:
        self._name, self._runner, self._chance = name, runner, chance
        self._caller = Caller(journal)
        self._numbers = count(1)

    async def run(self, stopped: asyncio.Event) -> None:
        """Until it is stopped, or ended."""
        while not stopped.is_set():
            await self._turn()
            await asyncio.sleep(self._chance.uniform(0, 0.01))

    async def _turn(self) -> None:
        """Do something to one of the agents that there are."""
        heads = await self._living()
        if len(heads) < _MOST and self._chance.random() < 0.5:
            await self._begin()
        elif heads:
            deeds, weights = zip(*self._deeds(), strict=True)
            [deed] = self._chance.choices(deeds, weights)
            await deed(self._chance.choice(heads))

    def _deeds(self) -> Iterable[tuple[Callable[[Head], Awaitable[None]], int]]:
        for event, weight in {"tell": 30, "tag": 12, "inquire": 10, "leave": 3}.items():
            yield partial(self._say, event), weight
        yield self._merge, 12
        yield self._speak, 10
        yield self._remember, 8
        yield self._unpark, 20
        yield self._rewind, 10
        yield self._migrate, 8
        yield self._forget, 6
        yield self._reseal, 8
        yield self._purge, 10

    async def _living(self) -> list[Head]:
        try:
            page = await self._runner.store.list(workflow=NAME, limit=200)
        except StoreError:
            return []
        return [head for head in page.heads if head.status not in ENDED]

    def _token(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    async def _begin(self) -> None:
        user, token = self._chance.choice(USERS), self._token()
        agent_id = f"{PREFIX}{token}"
        facts = {"agent": agent_id, "token": token, "user": user, "key": token}
        start = partial(self._runner.start, visit(1), "tell", {"token": token}, id=agent_id, user=user, key=token)
        await self._caller.called("begin", facts, start, _moved)

    async def _say(self, event: str, head: Head, *, seen: int | None = None) -> None:
        token = self._token()
        facts = {"agent": head.id, "event": event, "token": token, "user": head.user, "key": token, "seen": seen}
        send = partial(self._runner.send, head.id, event, {"token": token}, key=token, expect_version=seen)
        await self._caller.called("say", facts, send, _moved)

    async def _merge(self, head: Head) -> None:
        """Two say something of what both have seen; policies let both stand."""
        for _ in range(2):
            await self._say("tag", head, seen=head.version)

    async def _speak(self, head: Head) -> None:
        """In the room, as somebody who is no agent."""
        token = self._token()
        append = partial(Thread(self._runner.store, ROOM).append, "user", token, by=head.user)
        facts = {"thread": ROOM, "token": token, "user": head.user}
        await self._caller.called("speak", facts, append, lambda number: {"number": number})

    async def _remember(self, _: Head) -> None:
        """Something of a user, as a program does that is no agent."""
        user, token = self._chance.choice(USERS), self._token()
        facts = {"token": token, "user": user}
        await self._caller.called(
            "remember", facts, partial(self._saved, user, token), lambda saved: {"version": saved}
        )

    async def _saved(self, user: str, token: str) -> int:
        known = await self._runner.store.user(user)
        likes = [*known.values.get("likes", []), token]
        version = known.version + 1
        await self._runner.store.save_user(known._replace(version=version, values={**known.values, "likes": likes}))
        return version

    async def _unpark(self, head: Head) -> None:
        if head.status is Status.PARKED:
            await self._caller.called("unpark", {"agent": head.id}, partial(self._runner.unpark, head.id), _moved)

    async def _rewind(self, head: Head) -> None:
        version = self._chance.randint(1, head.version)
        facts = {"agent": head.id, "to": version}
        await self._caller.called("rewind", facts, partial(self._runner.rewind, head.id, version), _went_back)

    async def _migrate(self, head: Head) -> None:
        move = partial(self._runner.migrate, visit(2), [head.id], apply=True)
        await self._caller.called("migrate", {"agent": head.id}, move, _verdicts)

    async def _forget(self, head: Head) -> None:
        if head.user is not None:
            forget = partial(self._runner.forget, head.user, by="operator")
            await self._caller.called("forget", {"user": head.user}, forget, _erased)

    async def _reseal(self, head: Head) -> None:
        """One agent, or now and then everything."""
        named = [] if self._chance.random() < 0.2 else [head.id]
        await self._caller.called("reseal", {"agents": named}, partial(reseal, self._runner.store, named), _resealed)

    async def _purge(self, head: Head) -> None:
        """Who has ended goes; or the beginning of a history does."""
        if self._chance.random() < 0.5:
            work = partial(self._runner.purge, Retention.read(_FINISHED), workflow=NAME)
        else:
            keep = Retention.read({"history": max(1, head.version - 2)})
            work = partial(self._runner.purge, keep, agent_ids=[head.id])
        await self._caller.called("purge", {"agent": head.id}, work, _purged)


def _moved(agent: Agent) -> dict[str, Any]:
    return {"delivery": agent.delivery, "version": agent.version, "status": str(agent.status)}


def _went_back(rewound: Rewound) -> dict[str, Any]:
    return _moved(rewound.agent)


def _verdicts(moves: MigrationPage) -> dict[str, Any]:
    return {"verdicts": [str(outcome.verdict) for outcome in moves.outcomes]}


def _erased(forgotten: ErasureReport) -> dict[str, Any]:
    return {"erased": sum(forgotten.erased.values()), "left": sorted(forgotten.left)}


def _resealed(resealed: Resealed) -> dict[str, Any]:
    return {"agents": list(resealed.agents), "left": sorted(resealed.left)}


def _purged(purged: Purged) -> dict[str, Any]:
    return {"deleted": list(purged.deleted), "shortened": dict(purged.shortened)}
