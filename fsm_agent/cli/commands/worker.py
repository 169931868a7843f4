"""``worker``, and ``resume`` of all agents: drive due agents, and report each of them."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from fsm_agent.cli.engine import engine_of
from fsm_agent.cli.input.parameters import LOG_FORMAT, WholeNumber, read_by, text
from fsm_agent.cli.logs import in_json, in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.state import Duration
from fsm_agent.errors import FsmAgentError
from fsm_agent.project.defaults import DEFAULT_DRAIN_S
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.telemetry import configured

if TYPE_CHECKING:
    from fsm_agent.engines import Engine

logger = logging.getLogger("fsm_agent")

_AT_ONCE: Final = 100
_EVERY: Final = Duration.parse("1s")
#: where an engine tells of those that are due
_EVERY_BESIDE_ENGINE: Final = Duration.parse("5s")
_DRAIN: Final = Duration.parse(f"{DEFAULT_DRAIN_S}s")
_LEASE: Final = Duration.parse("15s")
_SHORTEST_LEASE_MS: Final = 1_000


def _length(text: str) -> Duration:
    length = Duration.parse(text)
    if not length.ms:
        raise ValueError(f"{text!r} is no time at all: write a longer one, such as 1s")
    return length


def _lease(text: str) -> Duration:
    lease = Duration.parse(text)
    if lease.ms < _SHORTEST_LEASE_MS:
        raise ValueError(f"{text!r} is too short to be prolonged in time: write 1s or more")
    return lease


@dataclass(frozen=True, slots=True)
class WorkerArguments:
    """The arguments of the command line."""

    is_once: bool = False
    at_once: int = _AT_ONCE
    #: ``None`` is as often as it is needed
    every: Duration | None = None
    drain: Duration = _DRAIN
    lease: Duration = _LEASE
    workflows: tuple[str, ...] = ()
    #: none is that of the settings
    namespaces: tuple[str, ...] = ()
    #: none is that of the settings
    engine: str | None = None
    log_format: str = "text"


@click.command()
@click.option("--once", "is_once", is_flag=True, help="Stop when nothing is due.")
@click.option(
    "--at-once",
    type=WholeNumber(),
    default=_AT_ONCE,
    show_default=True,
    help="How many agents of a namespace are driven at the same time.",
)
@click.option(
    "--every",
    callback=read_by(_length),
    metavar="DURATION",
    help="How often it looks for due agents of which nobody has told it.  [default: 1s; 5s with an engine]",
)
@click.option(
    "--drain",
    callback=read_by(Duration.parse),
    default=str(_DRAIN),
    show_default=True,
    metavar="DURATION",
    help="How long what works may go on when it is stopped.",
)
@click.option(
    "--lease",
    callback=read_by(_lease),
    default=str(_LEASE),
    show_default=True,
    metavar="DURATION",
    help="How long it holds an agent; what works prolongs that.",
)
@click.option("--workflow", "workflows", type=text, multiple=True, metavar="NAME", help="Only its agents; repeatable.")
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", help="A part of the store; repeatable.")
@click.option("--engine", type=text, metavar="URL", help="Engine that wakes it.  [default: the bell of the store]")
@LOG_FORMAT
@click.pass_obj
def worker(settings: CommandSettings, /, **arguments: Any) -> None:
    """Drive whatever is due, until stopped by Ctrl-C or SIGTERM. Many workers may share a store.

    When it is stopped, it begins nothing more, and what works may end; a second signal stops that at once.
    """
    known = WorkerArguments(**arguments)
    work(settings.changed(given_engine=known.engine), known)


class DriveLog:
    """The agents that were driven; prints a line on stderr for each that stops. With ``is_json`` only the log tells."""

    def __init__(self, *, is_json: bool = False) -> None:
        self.driven: set[str] = set()
        self._is_json = is_json

    def observe(self, head: Head) -> None:
        self.driven.add(head.id)
        if head.status is not Status.RUNNING and not self._is_json:
            output.say(f"{head.id}  {head.status} in {head.state}")

    def tell(self, sentence: str, action: str) -> None:
        """Tell what happens to the worker itself."""
        if self._is_json:
            logger.info("%s", sentence, extra={"action": action})
        else:
            output.say(sentence)

    def tell_end(self) -> None:
        count = len(self.driven)
        self.tell(f"drove {output.counted(count, 'agent')}" if count else "no agent was due", "worker_ended")


def work(settings: CommandSettings, arguments: WorkerArguments) -> None:
    """Drive due agents, until none is left or until a signal comes."""
    is_json_log = arguments.log_format == "json"
    diary = DriveLog(is_json=is_json_log)
    with output.kept_clean(settings), (in_json if is_json_log else in_sentences)(settings):
        asyncio.run(_work(settings, diary, arguments))
        if not settings.json:
            diary.tell_end()
    if settings.json:
        output.print_json({"driven": sorted(diary.driven)})


class Place(NamedTuple):
    """What serves one namespace."""

    runner: Runner
    worker: Worker
    engine: Engine | None


async def _work(settings: CommandSettings, diary: DriveLog, arguments: WorkerArguments) -> None:
    async with AsyncExitStack() as stack:
        places = [
            await _place(stack, settings.changed(namespace=namespace), diary, arguments)
            for namespace in dict.fromkeys(arguments.namespaces or (settings.namespace,))
        ]
        signals = _Signals(diary, arguments.drain, [each.worker for each in places])
        if arguments.is_once:
            await _once(places, signals, drain_s=arguments.drain.ms / 1000)
            return
        diary.tell(f"watching {_named(places)}; Ctrl-C stops", "worker_began")
        await _together([run for each in places for run in _runs(each, arguments, signals)], signals.stopped.set)


async def _once(places: list[Place], signals: _Signals, *, drain_s: float) -> None:
    """Drive what is due in each namespace. One that fails keeps no other from its turn; the first error is raised."""
    errors: list[FsmAgentError] = []
    for each in places:
        if not signals.stopped.is_set():
            try:
                await each.worker.run_once(signals.stopped, drain_s=drain_s, cancelled=signals.cancelled)
            except FsmAgentError as error:
                errors.append(error)
    for later in errors[1:]:
        output.say(f"error: {later}")
    if errors:
        raise errors[0]


async def _place(
    stack: AsyncExitStack, settings: CommandSettings, diary: DriveLog, arguments: WorkerArguments
) -> Place:
    """Raises ``EngineUnavailable`` if the engine does not answer; without wake-ups it is not needed."""
    engine = None if arguments.is_once else engine_of(settings)
    if engine is not None:
        await stack.enter_async_context(engine)
    runner = await stack.enter_async_context(_runner(settings, engine, diary, arguments))
    return Place(runner, _worker(settings, runner, arguments), engine)


def _named(places: list[Place]) -> str:
    """The stores, how many connections to them there may be, and the engine."""
    stores = ", ".join(dict.fromkeys(each.runner.store.url for each in places))
    connections = sum(each.runner.store.max_connections or 0 for each in places)
    if connections:
        stores += f" by at most {connections} connections"
    engines = dict.fromkeys(each.engine.url for each in places if each.engine)
    return " with ".join([stores, *engines])


def _runs(place: Place, arguments: WorkerArguments, signals: _Signals) -> list[Coroutine[Any, Any, None]]:
    """What goes on until it is stopped: the sweep, and the service of an engine beside it."""
    drain_s = arguments.drain.ms / 1000
    runs = [place.worker.run(signals.stopped, drain_s=drain_s, cancelled=signals.cancelled)]
    if place.engine is not None:
        from fsm_agent.engines import serve_engine

        service = serve_engine(
            place.engine,
            place.runner,
            at_once=arguments.at_once,
            stopped=signals.stopped,
            drain_s=drain_s,
            cancelled=signals.cancelled,
            workflows=arguments.workflows or None,
        )
        runs.append(service)
    return runs


def _runner(settings: CommandSettings, engine: Engine | None, diary: DriveLog, arguments: WorkerArguments) -> Runner:
    around, actions = settings.surroundings(), settings.actions
    return Runner(
        settings.open_store(),
        actions=actions,
        observe=diary.observe,
        surroundings=around,
        telemetry=configured(),
        wakeups=None if engine is None else engine.wakeups(),
        lease_s=arguments.lease.ms / 1000,
    )


def _worker(settings: CommandSettings, runner: Runner, arguments: WorkerArguments) -> Worker:
    every = arguments.every or (_EVERY_BESIDE_ENGINE if settings.engine else _EVERY)
    return Worker(
        runner,
        every=timedelta(milliseconds=every.ms),
        at_once=arguments.at_once,
        retention=settings.retention,
        workflows=arguments.workflows or None,
    )


class _Signals:
    """The first signal stops the workers, the second one what they are at, too."""

    def __init__(self, diary: DriveLog, drain: Duration, workers: list[Worker]) -> None:
        self.stopped = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._diary = diary
        self._drain = drain
        self._workers = workers
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._take)

    def _take(self) -> None:
        if self.stopped.is_set():
            self.cancelled.set()
            return
        self.stopped.set()
        at_work = sum(worker.at_work for worker in self._workers)
        if at_work and self._drain.ms:
            count = output.counted(at_work, "agent")
            sentence = f"stopping: {count} at work may go on for {self._drain}; another signal stops that"
            self._diary.tell(sentence, "worker_drains")


async def _together(runs: list[Coroutine[Any, Any, None]], stop: Callable[[], None]) -> None:
    """Run all of them. When one fails, the others are stopped, and its error is raised."""
    tasks = [asyncio.create_task(run) for run in runs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        stop()
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()
