"""The recovery: after the faults, one process drives all agents until nothing is due, and reads everything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Final

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import Selection
from fsm_agent.domain.step import KeyOutcome
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.agent_reads import read_workflow
from fsm_agent.runtime.replay import replay
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.testing.faults import order_workload, ticket_workload
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.evidence import Evidence, Lists, StoredAgent
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, WriterLog, read_logs
from fsm_agent.testing.faults.order_workload import ExternalService, executions_in
from fsm_agent.testing.faults.rules_leases import RECOVERY_WRITER
from fsm_agent.testing.faults.store import FaultyStore
from fsm_agent.testing.faults.ticket_workload import SHARED_THREAD, USERS, is_ticket
from fsm_agent.testing.faults.writer import WriterSettings, journal_errors

_HOUR_MS: Final = 3_600_000
_TIMEOUT_S: Final = 60
_ROUNDS: Final = 6
#: Few, so that there are several pages.
_PAGE: Final = 20


async def recover(settings: WriterSettings, store: Store, clock: SharedClock) -> Evidence:
    """Collect the evidence. ``store`` is open, has no faults, and stays open."""
    journal = Journal(settings.journals, RECOVERY_WRITER)
    failures: list[str] = []
    with journal_errors(journal):
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await _drive_all(settings, store, clock, journal)
        except TimeoutError:
            failures.append(f"agents were still not at rest after {_TIMEOUT_S} s")
        except Exception as error:
            failures.append(f"the recovery failed: {error!r}")
    journal.close()
    logs = tuple(read_logs(settings.journals))
    stored = await _read_all(store, logs, failures)
    orders = {agent_id: each for agent_id, each in stored.items() if not is_ticket(agent_id)}
    tickets = {agent_id: each for agent_id, each in stored.items() if is_ticket(agent_id)}
    shared_thread = tuple(await store.messages(SHARED_THREAD))
    users = {name: await store.user(name) for name in await store.users()}
    executions, lists = executions_in(settings.service), await _read_lists(store)
    return Evidence(orders, logs, executions, tuple(failures), tickets, shared_thread, users, lists)


async def _read_lists(store: Store) -> Lists:
    return Lists(
        tuple([agent_id async for agent_id in _asking_ids(store)]),
        await store.count_questions(),
        {user: tuple([each async for each in _selected_ids(store, Selection(user=user))]) for user in USERS},
        tuple([agent_id async for agent_id in _selected_ids(store, Selection(), newest=True)]),
        sum(tally.agents for tally in await store.tally()),
        tuple(f"{damage.agent_id}: {damage.what}" for damage in await store.inspect() if damage.is_index),
    )


async def _asking_ids(store: Store) -> AsyncIterator[str]:
    after, is_more = None, True
    while is_more:
        page = await store.questions(limit=_PAGE, after=after)
        for head in page.heads:
            yield head.id
        after, is_more = page.next, page.next is not None


async def _selected_ids(store: Store, selection: Selection, *, newest: bool = False) -> AsyncIterator[str]:
    after, is_more = None, True
    while is_more:
        page = await store.select(selection, newest=newest, limit=_PAGE, after=after)
        for head in page.heads:
            yield head.id
        after, is_more = page.next, page.next is not None


async def _drive_all(settings: WriterSettings, store: Store, clock: SharedClock, journal: Journal) -> None:
    service = ExternalService(
        settings.service, journal, Failpoints(journal), random.Random(settings.seed), is_calm=True
    )
    runner = Runner(
        FaultyStore(store, journal, Failpoints(journal)),
        actions=[*order_workload.actions_in(service), *ticket_workload.actions_in(service)],
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


async def _read_all(store: Store, logs: tuple[WriterLog, ...], failures: list[str]) -> dict[str, StoredAgent]:
    """Every agent that exists or should exist."""
    started = {entry.facts["agent"] for log in logs for entry in log.entries if entry.verb == "start" and entry.is_ok}
    agents = {}
    for agent_id in sorted(started | {agent_id async for agent_id in _ids(store)}):
        try:
            agents[agent_id] = await _read(store, agent_id, logs)
        except FsmAgentError as error:
            failures.append(f"agent {agent_id} cannot be read: {error}")
    return agents


async def _read(store: Store, agent_id: str, logs: tuple[WriterLog, ...]) -> StoredAgent:
    record = await store.load(agent_id)
    return StoredAgent(
        await store.dump(agent_id),
        fold(record.snapshot, record.tail).values,
        await read_workflow(store, record.head.definition),
        {key: await _outcome(store, agent_id, key) for key in _unclear_keys(agent_id, logs)},
        tuple(str(mismatch) for mismatch in (await replay(store, agent_id)).mismatches),
    )


def _unclear_keys(agent_id: str, logs: tuple[WriterLog, ...]) -> set[str]:
    """The keys of all calls that were refused or have an unknown outcome."""
    return {
        entry.facts["key"]
        for log in logs
        for entry in log.entries
        if entry.verb in ("send", "answer") and not entry.is_ok and entry.facts["agent"] == agent_id
        if entry.facts["key"]
    }


async def _outcome(store: Store, agent_id: str, key: str) -> KeyOutcome | None:
    return (await store.load(agent_id, key=key)).outcome
