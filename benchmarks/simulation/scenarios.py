"""What happens to the workers of a simulation: many agents are due at once, others are started one after another, and
timers of many run out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from benchmarks.simulation.database import Connection, Database
from benchmarks.simulation.recorder import Outcome, Recorder, outcome_of
from benchmarks.simulation.virtual_time import in_virtual_time
from fsm_agent import Context, Runner, State, Worker, Workflow, action
from fsm_agent.domain.record import AgentExport, Creation
from fsm_agent.stores.memory.store import MemoryStore

ACTION_S: Final = 0.005
#: store's time at the beginning of a run
_EPOCH_MS: Final = 1_800_000_000_000
#: agents that are due since the same millisecond
_EQUALLY_DUE: Final = 10
_PATIENCE_S: Final = 3_600.0

FLOW: Final = Workflow(
    "one_action",
    version=1,
    events={"go": {}, "next": {}},
    initial="idle",
    states=[
        State("idle", on={"go": "working"}, after={"30d": "working"}),
        State("working", do="work", on={"next": "resting"}),
        State("resting", after={"30d": "over"}),
        State("over", final=True),
    ],
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is made by. ``store`` makes the store, so that a test can break it; ``lost`` is the part of the rings
    that nobody hears."""

    workers: int
    agents: int
    seed: int = 7
    every_s: float = 1.0
    at_once: int = 100
    lost: float = 0.0
    patience_s: float = _PATIENCE_S
    #: agents that wait while others are started
    others: int = 10_000
    store: Callable[..., MemoryStore] = MemoryStore


def backlog(setting: Setting) -> Outcome:
    """All agents are due when the workers begin, some of them longer than others."""
    return in_virtual_time(lambda: _backlog(setting), seed=setting.seed)


def starts(setting: Setting, *, starts_s: float) -> Outcome:
    """Another process starts the agents, so many a second at random moments, and rings; others wait for a timer that is
    far."""
    return in_virtual_time(lambda: _starts(setting, starts_s), seed=setting.seed)


def timers(setting: Setting, *, within_s: float) -> Outcome:
    """The agents have a timer each, which runs out at a random moment; nobody rings for that."""
    return in_virtual_time(lambda: _timers(setting, within_s), seed=setting.seed)


class World:
    """One database and the processes around it."""

    def __init__(self, setting: Setting, expected: int) -> None:
        loop = asyncio.get_running_loop()
        self._setting = setting
        self.recorder = Recorder(expected)
        store = setting.store(clock=lambda: _EPOCH_MS + round(loop.time() * 1000))
        self.database = Database(store, self.recorder, setting.lost)
        self.names = [f"worker {number}" for number in range(setting.workers)]

        @action(name="work", emits=["next"])
        async def work(ctx: Context) -> str:
            self.recorder.began(ctx.agent_id)
            await asyncio.sleep(ACTION_S)
            return "next"

        self._actions = [work]

    def runner(self, name: str) -> Runner:
        return Runner(Connection(self.database, name), actions=self._actions)

    async def model(self, *, is_due: bool) -> AgentExport:
        """An agent as a runner makes it, which is gone again; others are made from it."""
        async with Runner(self.database.store, actions=self._actions) as runner:
            agent = await runner.start(FLOW, "go" if is_due else None, drive=False)
            export = await self.database.store.dump(agent.id)
            await self.database.store.delete(await self.database.store.head(agent.id))
        return export

    async def drive(self) -> None:
        """Until all agents have ended that are expected to, or patience has."""
        stopped = asyncio.Event()
        every = timedelta(seconds=self._setting.every_s)
        workers = [Worker(self.runner(name), every=every, at_once=self._setting.at_once) for name in self.names]
        tasks = [asyncio.create_task(worker.run(stopped)) for worker in workers]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._setting.patience_s):
                await self.recorder.over.wait()
        stopped.set()
        await asyncio.gather(*tasks)

    def outcome(self, agents: int) -> Outcome:
        return outcome_of(self.recorder, self.names, agents)


async def _backlog(setting: Setting) -> Outcome:
    world = World(setting, expected=setting.agents)
    export = await world.model(is_due=True)
    numbers = list(range(setting.agents))
    random.shuffle(numbers)
    for place, agent_id in zip(numbers, _ids(setting.agents), strict=True):
        longer_ms = place // _EQUALLY_DUE
        head = export.head._replace(id=agent_id, lease=None, updated_ms=export.head.updated_ms - longer_ms)
        await world.database.store.create(Creation(head, export.steps))
        world.recorder.due_s[agent_id] = -longer_ms / 1000
    await world.drive()
    return world.outcome(setting.agents)


async def _starts(setting: Setting, starts_s: float) -> Outcome:
    world = World(setting, expected=setting.agents)
    export = await world.model(is_due=False)
    for agent_id in _ids(setting.others):
        await world.database.store.create(Creation(export.head._replace(id=agent_id), export.steps))
    starting = asyncio.create_task(_start(world, setting.agents, starts_s))
    await world.drive()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    return world.outcome(setting.agents)


async def _start(world: World, agents: int, starts_s: float) -> None:
    async with world.runner("starter") as runner, asyncio.TaskGroup() as group:
        for number in range(agents):
            await asyncio.sleep(random.expovariate(starts_s))
            group.create_task(runner.start(FLOW, "go", id=f"started-{number:07}", drive=False))


async def _timers(setting: Setting, within_s: float) -> Outcome:
    world = World(setting, expected=setting.agents)
    export = await world.model(is_due=False)
    now_ms = await world.database.store.now()
    for agent_id in _ids(setting.agents):
        due_ms = random.randrange(round(within_s * 1000))  # noqa: S311 - the seed decides
        timers = tuple(timer._replace(due_ms=now_ms + due_ms) for timer in export.head.timers)
        head = export.head._replace(id=agent_id, timers=timers)
        await world.database.store.create(Creation(head, export.steps))
        world.recorder.due_s[agent_id] = due_ms / 1000
    await world.drive()
    return world.outcome(setting.agents)


def _ids(count: int) -> Iterator[str]:
    return (f"agent-{number:07}" for number in range(count))
