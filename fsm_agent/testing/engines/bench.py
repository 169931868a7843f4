"""Where the tests of the contract of engines stand: agents with one action, and workers that an engine wakes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.engines.base import Advance, Engine, advance
from fsm_agent.engines.service import serve_engine
from fsm_agent.loading.python import State, Workflow
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import Wakeups
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.memory.store import MemoryStore

#: how long anything may take before a test fails
PATIENCE_S: Final = 60
#: how often a wake-up is repeated, and how long nothing may happen before that counts as nothing
_PAUSE_S: Final = 0.3
_SWEEP: Final = timedelta(milliseconds=50)

FLOW: Final[Any] = Workflow(
    "engine-contract",
    version=1,
    events={"go": {}, "nap": {}, "ok": {}},
    initial="idle",
    states=[
        State("idle", on={"go": "working", "nap": "napping"}),
        State("working", do="work", on={"ok": "resting"}),
        State("napping", after={"1h": "resting"}),
        State("resting", on={"go": "working"}),
    ],
)


class Service(NamedTuple):
    """An engine that serves. Setting ``stopped`` ends it."""

    stopped: asyncio.Event
    task: asyncio.Task[None]


class Silence(Wakeups):
    """All wake-ups are lost."""

    needs_loop = False

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:  # noqa: ARG002 - it goes nowhere
        return


class CountedEngine(Engine):
    """An engine, and how often each agent has been advanced by it."""

    def __init__(self, engine: Engine) -> None:
        self.inner = engine
        self.url = engine.url
        self.turns: Counter[str] = Counter()

    def wakeups(self) -> Wakeups:
        return self.inner.wakeups()

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        async def counted(agent_id: str) -> int | None:
            try:
                return await advance(agent_id)
            finally:
                self.turns[agent_id] += 1

        await self.inner.serve(counted, at_once=at_once, stopped=stopped, drain_s=drain_s)


class EngineBench:
    """An engine, a store in memory with agents whose only action is ``work``, and a runner that wakes by the engine."""

    def __init__(self, engine: Engine, namespace: str, *actions: Callable[..., Any]) -> None:
        """``actions`` are more that workflows of a test name."""
        self.engine = CountedEngine(engine)
        self.wakeups = engine.wakeups()
        self.store = MemoryStore(namespace=namespace)
        self.runner = Runner(self.store, actions=[self._as_action(), *actions], wakeups=self.wakeups)
        self.deaf_runner = Runner(self.store, wakeups=Silence())
        #: what an action waits for
        self.gate = asyncio.Event()
        self.gate.set()
        #: agents whose action has begun, as often as it has
        self.begun: list[str] = []
        #: how many actions have run at the same time at most
        self.most = 0
        self._running = 0

    def _as_action(self) -> Any:
        @action(name="work")
        async def work(ctx: Context) -> str:
            self.begun.append(ctx.agent_id)
            self._running += 1
            self.most = max(self.most, self._running)
            try:
                await self.gate.wait()
                await asyncio.sleep(0)
            finally:
                self._running -= 1
            return "ok"

        return work

    async def start(self, agent_id: str, event: str = "go", *, is_lost: bool = False) -> None:
        """Start an agent that somebody else is to drive. With ``is_lost``, nobody is woken."""
        runner = self.deaf_runner if is_lost else self.runner
        await runner.start(FLOW, event, id=agent_id, drive=False)

    async def stands(self, *agent_ids: str) -> Mapping[str, str]:
        """State by agent."""
        return {agent_id: (await self.store.head(agent_id)).state for agent_id in agent_ids}

    async def until_resting(self, *agent_ids: str) -> None:
        """Until these agents have done their work, and nobody holds them."""
        for agent_id in agent_ids:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._rests(agent_id):  # noqa: ASYNC110 - a store tells nobody
                    await asyncio.sleep(0.005)

    async def _rests(self, agent_id: str) -> bool:
        head = await self.store.head(agent_id)
        return head.state == "resting" and head.lease is None

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():  # noqa: ASYNC110 - an engine tells nobody
                await asyncio.sleep(0.005)

    async def nothing_ends(self, service: Service) -> None:
        """Let some time pass in which a service that was told to stop must go on."""
        await asyncio.wait([service.task], timeout=_PAUSE_S)
        assert not service.task.done()

    async def heard(self, agent_id: str = "nobody") -> None:
        """Wake an agent that does not exist until the engine is heard, however often that is lost."""
        before = self.engine.turns[agent_id]
        async with asyncio.timeout(PATIENCE_S):
            while self.engine.turns[agent_id] == before:
                await self.wakeups.wake(agent_id)
                await asyncio.sleep(_PAUSE_S)

    @asynccontextmanager
    async def serving(self, *, at_once: int = 8, drain_s: float = PATIENCE_S) -> AsyncGenerator[Service]:
        """The engine serves, and nobody sweeps. Begins when wake-ups are heard."""
        drive = partial(advance, self.runner)
        async with _running(partial(self.engine.serve, drive, at_once=at_once, drain_s=drain_s)) as service:
            await self.heard()
            yield service

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """A worker sweeps, beside the engine, as every worker does."""
        worker = Worker(self.runner, every=_SWEEP)
        serve = partial(serve_engine, self.engine, self.runner, at_once=8, drain_s=0)
        async with _running(serve), _running(worker.run):
            await self.heard()
            yield


@asynccontextmanager
async def _running(serve: Callable[..., Any]) -> AsyncGenerator[Service]:
    stopped = asyncio.Event()
    service = Service(stopped, asyncio.create_task(serve(stopped=stopped)))
    try:
        yield service
    finally:
        stopped.set()
        async with asyncio.timeout(PATIENCE_S):
            await service.task
