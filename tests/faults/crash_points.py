"""Runners that crash before or after a chosen command or effect. Time passes only when the test moves the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fsm_agent import Runner
from fsm_agent.actions.registry import Actions
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.engine.commands import Act, Acted, Command, IsAlive
from fsm_agent.engine.effects import Begin, End
from fsm_agent.runtime.action_executor import ActionExecutor
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.executor import Executor
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store


class Crash(BaseException):
    """The process has crashed."""


class CrashPoints:
    """Counts the crash points, which lie before and after each command; ``crashes_at`` chooses where to crash."""

    def __init__(self, crashes_at: Callable[[int], bool]) -> None:
        self._crashes_at = crashes_at
        self.points = 0
        #: the names of the commands at which it crashed
        self.crashed: list[str] = []

    def reach(self, effect: object) -> None:
        self.points += 1
        if self._crashes_at(self.points):
            self.crashed.append(type(effect).__name__)
            raise Crash


class CrashingRunner(Runner):
    """A runner that crashes. With ``finds_dead`` it knows that earlier holders of leases are dead."""

    def __init__(self, store: Store, clock: FakeClock, crash_points: CrashPoints, *, finds_dead: bool) -> None:
        actions = Actions()
        executor = CrashingExecutor(store, actions, clock, crash_points)
        super().__init__(store, actions=actions, executor=executor)
        self._loop = CrashingLoop(store, actions, executor, crash_points, finds_dead=finds_dead)
        executor.surroundings.children = self._loop.children


class CrashingLoop(CommandLoop):
    def __init__(
        self, store: Store, actions: Actions, executor: Executor, crash_points: CrashPoints, *, finds_dead: bool
    ) -> None:
        super().__init__(store, actions, executor)
        self._crash_points = crash_points
        self._finds_dead = finds_dead

    async def perform(self, effect: Command) -> Any:
        self._crash_points.reach(effect)
        reply = False if self._finds_dead and isinstance(effect, IsAlive) else await super().perform(effect)
        self._crash_points.reach(effect)
        return reply


class CrashingExecutor(ActionExecutor):
    """Runs real actions, with crash points around their effects, and moves the clock instead of sleeping."""

    def __init__(self, store: Store, actions: Actions, clock: FakeClock, crash_points: CrashPoints) -> None:
        super().__init__(store, actions)
        self._clock, self._crash_points = clock, crash_points
        self._ledger = CrashingEffects(store, crash_points)

    async def act(self, effect: Act) -> Acted:
        """A crash within an action ends the process, whatever the action does about it."""
        crashed = len(self._crash_points.crashed)
        reply = await super().act(effect)
        if len(self._crash_points.crashed) > crashed:
            raise Crash
        return reply

    async def sleep(self, head: Head, until_ms: int) -> int:
        self._clock.ms = max(self._clock.ms, until_ms)
        return self._clock.ms


class CrashingEffects:
    """A store of effects with crash points before and after each of its two writes."""

    def __init__(self, store: Store, crash_points: CrashPoints) -> None:
        self.namespace = store.namespace
        self.now = store.now
        self.messages = store.messages
        self.history = store.history
        self._store = store
        self._crash_points = crash_points

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        self._crash_points.reach(Begin(entry, again))
        kept = await self._store.begin_effect(agent_id, entry, again=again)
        self._crash_points.reach(Begin(entry, again))
        return kept

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        self._crash_points.reach(End(entry))
        is_recorded = await self._store.end_effect(agent_id, entry)
        self._crash_points.reach(End(entry))
        return is_recorded
