"""A process that dies between two effects, and another one that comes after it. No time passes but by the clock."""

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
from fsm_agent.stores.base import Store
from fsm_agent.testing.clock import FakeClock


class Crash(BaseException):
    """The process is gone."""


class CrashPoints:
    """Burns at every place where a process can die, before and after each effect; ``crashes_at`` says where it does."""

    def __init__(self, crashes_at: Callable[[int], bool]) -> None:
        self._crashes_at = crashes_at
        self.points = 0
        #: the effects at which it blew
        self.crashed: list[str] = []

    def reach(self, effect: object) -> None:
        self.points += 1
        if self._crashes_at(self.points):
            self.crashed.append(type(effect).__name__)
            raise Crash


class CrashingRunner(Runner):
    """Dies when its fuse blows. Whoever held a lease before it is known to be dead, if ``finds_dead``."""

    def __init__(self, store: Store, clock: FakeClock, crash_points: CrashPoints, *, finds_dead: bool) -> None:
        actions = Actions()
        hands = CrashingExecutor(store, actions, clock, crash_points)
        super().__init__(store, actions=actions, hands=hands)
        self._loop = CrashingLoop(store, actions, hands, crash_points, finds_dead=finds_dead)
        hands.surroundings.kinship = self._loop.kin


class CrashingLoop(CommandLoop):
    def __init__(
        self, store: Store, actions: Actions, hands: Executor, crash_points: CrashPoints, *, finds_dead: bool
    ) -> None:
        super().__init__(store, actions, hands)
        self._crash_points = crash_points
        self._finds_dead = finds_dead

    async def perform(self, effect: Command) -> Any:
        self._crash_points.reach(effect)
        reply = False if self._finds_dead and isinstance(effect, IsAlive) else await super().perform(effect)
        self._crash_points.reach(effect)
        return reply


class CrashingExecutor(ActionExecutor):
    """Real actions, whose effects are places to die at too, and a clock that jumps."""

    def __init__(self, store: Store, actions: Actions, clock: FakeClock, crash_points: CrashPoints) -> None:
        super().__init__(store, actions)
        self._clock, self._crash_points = clock, crash_points
        self._ledger = CrashingEffects(store, crash_points)

    async def act(self, effect: Act) -> Acted:
        """Whoever has died in an action does not go on with what the action made of that."""
        crashed = len(self._crash_points.crashed)
        reply = await super().act(effect)
        if len(self._crash_points.crashed) > crashed:
            raise Crash
        return reply

    async def sleep(self, head: Head, until_ms: int) -> int:
        self._clock.ms = max(self._clock.ms, until_ms)
        return self._clock.ms


class CrashingEffects:
    """A process can die before and after an effect is begun and its result is recorded."""

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
