"""A writer: a runner, a worker and four clients that use one store until the writer is stopped or killed."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.engines import Engine, serve_engine
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults import mutants, order_workload, ticket_workload
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.engine import faulty_engine
from fsm_agent.testing.faults.failpoints import Failpoint, Failpoints, trace_sqlite_statements
from fsm_agent.testing.faults.journal import Journal, WriterKilled, read_log
from fsm_agent.testing.faults.operator_client import OperatorClient
from fsm_agent.testing.faults.order_client import AgentSlot, OrderClient, SentEvent
from fsm_agent.testing.faults.order_workload import ExternalService
from fsm_agent.testing.faults.pid_namespaces import current_pid_namespace
from fsm_agent.testing.faults.store import FaultyStore, Liveness, holder_name

_CLIENTS: Final = 3
_SWEEP: Final = timedelta(milliseconds=40)
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class WriterSettings:
    """What a writer needs to know. ``folder`` is the folder of the run."""

    #: also the name of its journal
    name: str
    url: str
    namespace: str
    folder: str
    seed: int
    #: the URL of the engine that carries wake-ups; without one the bell of the store does
    engine: str | None = None
    #: how many orders there are at a time
    slots: int = 5
    #: how long its leases are
    lease_ms: int = LEASE_MS
    #: how far its clock is off
    skew_ms: int = 0
    #: see ``failpoints.Failpoint``
    failpoint: str | None = None
    #: see ``mutants.MUTANTS``
    mutant: str | None = None
    #: the earlier writer whose unknown outcomes it asks about
    successor_of: str | None = None
    #: whether its disk is full now and then
    fills_disk: bool = False

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:")

    @property
    def planned_failpoint(self) -> Failpoint | None:
        return Failpoint.parse(self.failpoint) if self.failpoint else None

    @property
    def journals(self) -> Path:
        return Path(self.folder) / "journals"

    @property
    def service(self) -> Path:
        return Path(self.folder) / "service"

    @property
    def clock(self) -> Path:
        return Path(self.folder) / "clock"


def run_in_process(settings: WriterSettings) -> None:
    """Run a writer until the process is killed, or stopped by SIGTERM."""
    mutants.install(settings.mutant)
    asyncio.run(_in_process(settings))


async def _in_process(settings: WriterSettings) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    clock = SharedClock(settings.clock, skew_ms=settings.skew_ms)
    journal = Journal(settings.journals, settings.name)
    failpoints = Failpoints(journal, settings.planned_failpoint)
    if settings.is_sqlite:
        trace_sqlite_statements(failpoints)
    with journal_errors(journal):
        await write(settings, await _open_store(settings, clock), journal, failpoints, stopped)


async def _open_store(settings: WriterSettings, clock: SharedClock) -> Store:
    """Open the store; waits until its server answers."""
    while True:
        try:
            return open_store(settings.url, namespace=settings.namespace, clock=clock)
        except StoreUnavailable:
            await asyncio.sleep(0.05)


async def _open_engine(
    settings: WriterSettings, journal: Journal, rng: random.Random, opened: AsyncExitStack
) -> Engine | None:
    if settings.engine is None:
        return None
    return await opened.enter_async_context(faulty_engine(settings.engine, settings.namespace, journal, rng))


async def write(
    settings: WriterSettings,
    store: Store,
    journal: Journal,
    failpoints: Failpoints,
    stopped: asyncio.Event,
    *,
    liveness: Liveness | None = None,
) -> None:
    """Write until ``stopped`` is set, or a failpoint ends this writer."""
    journal.note("holder", {"name": holder_name(this_process()), "namespace": current_pid_namespace()})
    rng = random.Random(f"{settings.seed} {settings.name}")
    service = ExternalService(settings.service, journal, failpoints, rng)
    slots = [AgentSlot(number) for number in range(settings.slots)]
    unknown_outcomes = _unknown_outcomes(settings)
    actions = [*order_workload.actions_in(service), *ticket_workload.actions_in(service)]
    faulty_store = FaultyStore(store, journal, failpoints, liveness, settings.lease_ms)
    async with AsyncExitStack() as opened:
        engine = await _open_engine(settings, journal, rng, opened)
        wakeups = engine.wakeups() if engine else None
        lease_s = settings.lease_ms / 1000
        runner = await opened.enter_async_context(
            Runner(faulty_store, actions=actions, lease_s=lease_s, wakeups=wakeups)
        )
        tasks = await opened.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(Worker(runner, every=_SWEEP, at_once=_AT_ONCE).run(stopped))
        if engine:
            tasks.create_task(serve_engine(engine, runner, at_once=_AT_ONCE, stopped=stopped))
        for number in range(_CLIENTS):
            client = OrderClient(f"{settings.name}-{number}", runner, service, journal, rng, slots, unknown_outcomes)
            tasks.create_task(client.run(stopped))
        tasks.create_task(OperatorClient(f"{settings.name}-u", runner, journal, rng).run(stopped))
        if settings.fills_disk:
            tasks.create_task(_fill_disk(Path(settings.url.removeprefix("sqlite:///")), journal, stopped))


def _unknown_outcomes(settings: WriterSettings) -> deque[SentEvent]:
    """The events with keys of an earlier writer which does not know whether they happened."""
    journal = settings.journals / f"{settings.successor_of}.jsonl"
    if not journal.exists():  # there is no earlier writer, or it was killed before it could begin
        return deque()
    log = read_log(journal)
    sends = [entry.facts for entry in log.entries if entry.verb == "send" and entry.is_unknown and entry.facts["key"]]
    return deque(SentEvent(*(facts[name] for name in SentEvent._fields)) for facts in sends)


async def _fill_disk(database: Path, journal: Journal, stopped: asyncio.Event) -> None:
    """Forbid files to grow now and then for a while: the system refuses it, as it does when the disk is full."""
    log = database.with_name(f"{database.name}-wal")
    while not stopped.is_set():
        await asyncio.sleep(0.3)
        size = log.stat().st_size if log.exists() else 0
        if size > journal.size + 65_536:
            journal.note("disk full", {"bytes": size})
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            await asyncio.sleep(0.1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class _ErrorHandler(logging.Handler):
    """Notes errors that the runner and the event loop only log."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.ERROR)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "action", "") == "action_failed":  # the workload fails on purpose
            return
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, WriterKilled):
            self._journal.note("broken", {"why": f"{record.getMessage()}: {error!r}"})


@contextmanager
def journal_errors(journal: Journal) -> Iterator[None]:
    """Note logged errors in the journal instead of printing them."""
    root, handler = logging.getLogger(), _ErrorHandler(journal)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
