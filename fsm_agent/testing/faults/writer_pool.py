"""The writers of a run: processes, or, for a store that lives in one process, tasks."""

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
from fsm_agent.testing.faults.journal import Gone, Journal
from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.pid_namespaces import entering
from fsm_agent.testing.faults.writer import aggregate, watching


class Herd(Protocol):
    """Starts writers, and does to them what signals do."""

    #: names
    living: set[str]
    #: those who ended by themselves, and how
    failed: dict[str, int]

    async def start(self, orders: Orders) -> None: ...

    async def signal(self, name: str, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT or SIGTERM. Does nothing to who has ended."""

    async def close(self) -> None:
        """End all, and return when they have ended."""


class ProcessHerd:
    """Each writer is a process, forked by a nursery that dies with this one. There are two of them, where the system
    allows it in namespaces of pids of their own, as two containers are that share the name of a host."""

    def __init__(self) -> None:
        self.living: set[str] = set()
        self.failed: dict[str, int] = {}
        self._nurseries: list[_Nursery] = []
        #: writer -> who forked it
        self._of: dict[str, _Nursery] = {}

    async def start(self, orders: Orders) -> None:
        if not self._nurseries:
            self._nurseries = [await _Nursery.opened(before, self._ended) for before in ((), entering())]
        self.living.add(orders.name)
        nursery = self._of[orders.name] = self._nurseries[len(self._of) % len(self._nurseries)]
        await nursery.tell({"start": asdict(orders)})

    async def signal(self, name: str, number: signal.Signals) -> None:
        if name in self.living:
            await self._of[name].tell({"signal": [name, int(number)]})

    async def close(self) -> None:
        for nursery in self._nurseries:
            await nursery.close()
        self.living.clear()

    def _ended(self, name: str, status: int) -> None:
        self.living.discard(name)
        if status > 0:
            self.failed[name] = status


class _Nursery:
    """A process that forks writers, and tells how they ended."""

    def __init__(self, process: asyncio.subprocess.Process, ended: Callable[[str, int], None]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        self._process, self._ended = process, ended
        self._orders, self._reports = process.stdin, process.stdout
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def opened(cls, before: Sequence[str], ended: Callable[[str, int], None]) -> Self:
        process = await asyncio.create_subprocess_exec(
            *(*before, sys.executable, "-m", "fsm_agent.testing.faults.fork_server"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us alone
        )
        return cls(process, ended)

    async def tell(self, order: dict[str, object]) -> None:
        self._orders.write((json.dumps(order) + "\n").encode())
        await self._orders.drain()

    async def close(self) -> None:
        """It ends when nobody can tell it anything any more."""
        self._orders.close()
        await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        async for line in self._reports:
            report = json.loads(line)
            self._ended(report["ended"], report["status"])


class TaskHerd:
    """Each writer is a task with a runner of its own, and all share one store. One that is killed does and notes
    nothing any more, from whatever it was about to do next."""

    def __init__(self, store: Store) -> None:
        self.living: set[str] = set()
        self.failed: dict[str, int] = {}
        self._store = store
        self._lives: dict[str, _Life] = {}

    async def start(self, orders: Orders) -> None:
        asyncio.get_running_loop().set_exception_handler(_but_for_the_gone)
        self.living.add(orders.name)
        life = self._lives[orders.name] = _Life(Journal(orders.journals, orders.name))
        life.task = asyncio.create_task(self._live(orders, life))

    async def _live(self, orders: Orders, life: _Life) -> None:
        try:
            with watching(life.journal):
                failpoints = Failpoints(life.journal, orders.planned, end=life.end)
                await aggregate(orders, self._store, life.journal, failpoints, life.stopped, pulse=life)
        except (BaseExceptionGroup, Gone, asyncio.CancelledError) as error:
            if not life.is_gone:
                life.journal.noted("broken", {"why": repr(error)})
        finally:
            life.journal.close()
            self.living.discard(orders.name)

    async def signal(self, name: str, number: signal.Signals) -> None:
        life = self._lives[name]
        match number:
            case signal.SIGKILL:
                life.kill()
            case signal.SIGSTOP:
                life.thawed.clear()
            case signal.SIGCONT:
                life.thawed.set()
            case _:
                life.stopped.set()

    async def close(self) -> None:
        for life in self._lives.values():
            life.kill()
        await asyncio.gather(*(life.task for life in self._lives.values() if life.task), return_exceptions=True)
        self.living.clear()


class _Life:
    """One task, and all that it began."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.task: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.is_gone = False

    async def beat(self) -> None:
        await self.thawed.wait()
        if self.is_gone:
            raise Gone

    def kill(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            self.journal.close()
            self.thawed.set()
            if self.task is not None:
                self.task.cancel()

    def end(self) -> NoReturn:
        self.kill()
        raise Gone


def _but_for_the_gone(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a dropped writer leaves behind is no news."""
    if not isinstance(context.get("exception"), Gone):
        loop.default_exception_handler(context)
