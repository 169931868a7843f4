"""After the faults: a process without any goes on with all agents until nothing is due, and reads all there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Final

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import Status
from fsm_agent.domain.step import KeyOutcome
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.reads import read_workflow
from fsm_agent.runtime.replay import replay
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.testing.faults import order_workload, ticket_workload
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.evidence import Evidence, Kept
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, Life, read_lives
from fsm_agent.testing.faults.order_workload import World, deeds_in
from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.rules_leases import FINISHER
from fsm_agent.testing.faults.store import FaultyStore
from fsm_agent.testing.faults.ticket_workload import ROOM, is_visit
from fsm_agent.testing.faults.writer import watching

_HOUR_MS: Final = 3_600_000
_PATIENCE_S: Final = 60
_ROUNDS: Final = 6


async def settle(orders: Orders, store: Store, clock: SharedClock) -> Evidence:
    """``store`` is open and without faults; it stays open. All leases have run out when this begins."""
    journal = Journal(orders.journals, FINISHER)
    troubles: list[str] = []
    with watching(journal):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await _finish(orders, store, clock, journal)
        except TimeoutError:
            troubles.append(f"agents were still not at rest after {_PATIENCE_S} s")
        except Exception as error:
            troubles.append(f"going on failed: {error!r}")
    journal.close()
    lives = tuple(read_lives(orders.journals))
    kept = await _read_all(store, lives, troubles)
    agents = {agent_id: each for agent_id, each in kept.items() if not is_visit(agent_id)}
    visits = {agent_id: each for agent_id, each in kept.items() if is_visit(agent_id)}
    room = tuple(await store.messages(ROOM))
    users = {name: await store.user(name) for name in await store.users()}
    return Evidence(agents, lives, deeds_in(orders.world), tuple(troubles), visits, room, users)


async def _finish(orders: Orders, store: Store, clock: SharedClock, journal: Journal) -> None:
    world = World(orders.world, journal, Failpoints(journal), random.Random(orders.seed), is_calm=True)
    runner = Runner(
        FaultyStore(store, journal, Failpoints(journal)),
        actions=[*order_workload.actions_in(world), *ticket_workload.actions_in(world)],
    )
    worker = Worker(runner)
    for _ in range(_ROUNDS):
        clock.jump(_HOUR_MS)
        await worker.run_once()
        if not [agent_id async for agent_id in _ids(store, Status.RUNNING)]:
            break


async def _ids(store: Store, status: Status | None = None) -> AsyncIterator[str]:
    after: str | None = None
    while True:
        page = await store.list(status=status, limit=200, after=after)
        for head in page.heads:
            yield head.id
        if (after := page.next) is None:
            return


async def _read_all(store: Store, lives: tuple[Life, ...], troubles: list[str]) -> dict[str, Kept]:
    """Every agent that there is or should be."""
    told = {entry.facts["agent"] for life in lives for entry in life.entries if entry.verb == "start" and entry.is_ok}
    agents = {}
    for agent_id in sorted(told | {agent_id async for agent_id in _ids(store)}):
        try:
            agents[agent_id] = await _read(store, agent_id, lives)
        except FsmAgentError as error:
            troubles.append(f"agent {agent_id} cannot be read: {error}")
    return agents


async def _read(store: Store, agent_id: str, lives: tuple[Life, ...]) -> Kept:
    record = await store.load(agent_id)
    return Kept(
        await store.dump(agent_id),
        fold(record.snapshot, record.tail).values,
        await read_workflow(store, record.head.definition),
        {key: await _outcome(store, agent_id, key) for key in _asked_keys(agent_id, lives)},
        tuple(str(mismatch) for mismatch in (await replay(store, agent_id)).mismatches),
    )


def _asked_keys(agent_id: str, lives: tuple[Life, ...]) -> set[str]:
    """The keys of all calls of which nobody learnt the end, and of all that were refused."""
    return {
        entry.facts["key"]
        for life in lives
        for entry in life.entries
        if entry.verb in ("send", "answer") and not entry.is_ok and entry.facts["agent"] == agent_id
        if entry.facts["key"]
    }


async def _outcome(store: Store, agent_id: str, key: str) -> KeyOutcome | None:
    return (await store.load(agent_id, key=key)).outcome
