"""One life of a writer: a runner, a worker and a few clients over one store, until somebody ends it."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults import mutants, order_workload, ticket_workload
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.failpoints import Failpoints, hear_statements_of_sqlite
from fsm_agent.testing.faults.journal import Gone, Journal, read_life
from fsm_agent.testing.faults.operator_client import Upkeep
from fsm_agent.testing.faults.order_client import Client, Place, Said
from fsm_agent.testing.faults.order_workload import World
from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.pid_namespaces import namespace_here
from fsm_agent.testing.faults.store import FaultyStore, Pulse, named

_CLIENTS: Final = 3
_SWEEP: Final = timedelta(milliseconds=40)
_AT_ONCE: Final = 8


def live_in_process(orders: Orders) -> None:
    """Until the process is killed, or told to end by SIGTERM."""
    mutants.become(orders.mutant)
    asyncio.run(_in_process(orders))


async def _in_process(orders: Orders) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    clock = SharedClock(orders.clock, skew_ms=orders.skew_ms)
    journal = Journal(orders.journals, orders.name)
    failpoints = Failpoints(journal, orders.planned)
    if orders.is_sqlite:
        hear_statements_of_sqlite(failpoints)
    with watching(journal):
        await aggregate(orders, await _opened(orders, clock), journal, failpoints, stopped)


async def _opened(orders: Orders, clock: SharedClock) -> Store:
    """The store, once its server lets us in."""
    while True:
        try:
            return open_store(orders.url, namespace=orders.namespace, clock=clock)
        except StoreUnavailable:
            await asyncio.sleep(0.05)


async def aggregate(
    orders: Orders,
    store: Store,
    journal: Journal,
    failpoints: Failpoints,
    stopped: asyncio.Event,
    *,
    pulse: Pulse | None = None,
) -> None:
    """Write until ``stopped`` is set, or a failpoint ends this writer."""
    journal.noted("holder", {"name": named(this_process()), "namespace": namespace_here()})
    chance = random.Random(f"{orders.seed} {orders.name}")
    world = World(orders.world, journal, failpoints, chance)
    places = [Place(number) for number in range(orders.places)]
    doubtful = _doubtful(orders)
    actions = [*order_workload.actions_in(world), *ticket_workload.actions_in(world)]
    async with (
        Runner(FaultyStore(store, journal, failpoints, pulse), actions=actions) as runner,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(Worker(runner, every=_SWEEP, at_once=_AT_ONCE).run(stopped))
        for number in range(_CLIENTS):
            client = Client(f"{orders.name}-{number}", runner, world, journal, chance, places, doubtful)
            tasks.create_task(client.run(stopped))
        tasks.create_task(Upkeep(f"{orders.name}-u", runner, journal, chance).run(stopped))
        if orders.is_short_of_disk:
            tasks.create_task(_run_out_of_disk(Path(orders.url.removeprefix("sqlite:///")), journal, stopped))


def _doubtful(orders: Orders) -> deque[Said]:
    """The events with keys of which an earlier life never learnt what became of them."""
    journal = orders.journals / f"{orders.heir_of}.jsonl"
    if not journal.exists():  # who is the first, or whose forebear was killed before it could begin
        return deque()
    life = read_life(journal)
    sends = [entry.facts for entry in life.entries if entry.verb == "send" and entry.is_unknown and entry.facts["key"]]
    return deque(Said(*(facts[name] for name in Said._fields)) for facts in sends)


async def _run_out_of_disk(database: Path, journal: Journal, stopped: asyncio.Event) -> None:
    """Now and then no file may grow for a while: the system refuses it, as a full disk does."""
    log = database.with_name(f"{database.name}-wal")
    while not stopped.is_set():
        await asyncio.sleep(0.3)
        size = log.stat().st_size if log.exists() else 0
        if size > journal.size + 65_536:
            journal.noted("disk full", {"bytes": size})
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            await asyncio.sleep(0.1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class _Watch(logging.Handler):
    """Notes errors that the runner and the loop only log."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.ERROR)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "action", "") == "action_failed":  # as its world has it
            return
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Gone):
            self._journal.noted("broken", {"why": f"{record.getMessage()}: {error!r}"})


@contextmanager
def watching(journal: Journal) -> Iterator[None]:
    """What is logged as an error goes to the journal, and nothing to the terminal."""
    root, watch = logging.getLogger(), _Watch(journal)
    root.addHandler(watch)
    try:
        yield
    finally:
        root.removeHandler(watch)
