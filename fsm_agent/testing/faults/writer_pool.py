"""The pool of writers of a run: they are processes, or tasks for a store that exists in one process only."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, NoReturn, Protocol, Self

from fsm_agent.stores.base import Store
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, WriterKilled
from fsm_agent.testing.faults.pid_namespaces import unshare_command
from fsm_agent.testing.faults.writer import WriterSettings, journal_errors, write


class WriterPool(Protocol):
    """Starts writers and sends signals to them."""

    #: names of writers that run
    alive: set[str]
    #: writers that ended by themselves with an error: name -> exit status
    failed: dict[str, int]

    async def start(self, settings: WriterSettings) -> None: ...

    async def signal(self, name: str, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT or SIGTERM. Does nothing if the writer has ended."""

    async def close(self) -> None:
        """End all writers, and return when they have ended."""


class ProcessPool:
    """Each writer is a process. There are two fork servers, which end with this process. Where the system allows it,
    one of them has a PID namespace of its own, like a second container with the same host name."""

    def __init__(self) -> None:
        self.alive: set[str] = set()
        self.failed: dict[str, int] = {}
        self._fork_servers: list[_ForkServer] = []
        #: writer -> the server that forked it
        self._server_of: dict[str, _ForkServer] = {}

    async def start(self, settings: WriterSettings) -> None:
        if not self._fork_servers:
            self._fork_servers = [await _ForkServer.start(prefix, self._ended) for prefix in ((), unshare_command())]
        self.alive.add(settings.name)
        fork_server = self._server_of[settings.name] = self._fork_servers[
            len(self._server_of) % len(self._fork_servers)
        ]
        await fork_server.send({"start": asdict(settings)})

    async def signal(self, name: str, number: signal.Signals) -> None:
        if name in self.alive:
            await self._server_of[name].send({"signal": [name, int(number)]})

    async def close(self) -> None:
        for fork_server in self._fork_servers:
            await fork_server.close()
        self.alive.clear()

    def _ended(self, name: str, status: int) -> None:
        self.alive.discard(name)
        if status > 0:
            self.failed[name] = status


class _ForkServer:
    """A process that forks writers and reports how they ended."""

    def __init__(self, process: asyncio.subprocess.Process, ended: Callable[[str, int], None]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        self._process, self._ended = process, ended
        self._requests, self._reports = process.stdin, process.stdout
        self._reader = asyncio.create_task(self._read_reports())

    @classmethod
    async def start(cls, prefix: Sequence[str], ended: Callable[[str, int], None]) -> Self:
        process = await asyncio.create_subprocess_exec(
            *(*prefix, sys.executable, "-m", "fsm_agent.testing.faults.fork_server"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us alone
        )
        return cls(process, ended)

    async def send(self, request: dict[str, object]) -> None:
        self._requests.write((json.dumps(request) + "\n").encode())
        await self._requests.drain()

    async def close(self) -> None:
        """Close its input, which ends it."""
        self._requests.close()
        await self._process.wait()
        await self._reader

    async def _read_reports(self) -> None:
        async for line in self._reports:
            report = json.loads(line)
            self._ended(report["ended"], report["status"])


class TaskPool:
    """Each writer is a task with a runner of its own, and all tasks share one store. A killed one ends at its next verb
    of the store, and notes nothing any more."""

    def __init__(self, store: Store) -> None:
        self.alive: set[str] = set()
        self.failed: dict[str, int] = {}
        self._store = store
        self._tasks: dict[str, _WriterTask] = {}

    async def start(self, settings: WriterSettings) -> None:
        asyncio.get_running_loop().set_exception_handler(_ignore_killed_writers)
        self.alive.add(settings.name)
        task = self._tasks[settings.name] = _WriterTask(Journal(settings.journals, settings.name))
        task.task = asyncio.create_task(self._write(settings, task))

    async def _write(self, settings: WriterSettings, task: _WriterTask) -> None:
        try:
            with journal_errors(task.journal):
                failpoints = Failpoints(task.journal, settings.planned_failpoint, end=task.end)
                await write(settings, self._store, task.journal, failpoints, task.stopped, liveness=task)
        except (BaseExceptionGroup, WriterKilled, asyncio.CancelledError) as error:
            if not task.is_killed:
                task.journal.note("broken", {"why": repr(error)})
        finally:
            task.journal.close()
            self.alive.discard(settings.name)

    async def signal(self, name: str, number: signal.Signals) -> None:
        task = self._tasks[name]
        match number:
            case signal.SIGKILL:
                task.kill()
            case signal.SIGSTOP:
                task.running.clear()
            case signal.SIGCONT:
                task.running.set()
            case _:
                task.stopped.set()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.kill()
        await asyncio.gather(*(task.task for task in self._tasks.values() if task.task), return_exceptions=True)
        self.alive.clear()


class _WriterTask:
    """The task of a writer, and whether it may run."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.task: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()
        self.running = asyncio.Event()
        self.running.set()
        self.is_killed = False

    async def check(self) -> None:
        await self.running.wait()
        if self.is_killed:
            raise WriterKilled

    def kill(self) -> None:
        if not self.is_killed:
            self.is_killed = True
            self.journal.close()
            self.running.set()
            if self.task is not None:
                self.task.cancel()

    def end(self) -> NoReturn:
        self.kill()
        raise WriterKilled


def _ignore_killed_writers(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report unhandled errors, but not those of killed writers."""
    if not isinstance(context.get("exception"), WriterKilled):
        loop.default_exception_handler(context)
