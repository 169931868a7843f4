"""The worker: it claims and drives all due agents, until it is stopped.

One sweep finds due timers, queued events, ended backoffs, interrupted agents whose lease has run out, and those whose
holder has died on this host. Many workers may share a store; the lease decides who drives. Leases that have run out are
released even if there is nothing to drive, since an agent with a lease is neither archived nor purged.

No agent blocks the others: one that cannot be driven, or that a turn did not change, has its next turn after all
others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import partial
from typing import Final

from fsm_agent.concurrency.cancellation import is_told_to_stop
from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.text import some
from fsm_agent.errors import AgentDamaged, AgentNotFound, FsmAgentError, LeaseHeld, StoreUnavailable
from fsm_agent.runtime.maintenance.purge import RetentionSweeper
from fsm_agent.runtime.orphans import give_up_lapsed, is_orphaned
from fsm_agent.runtime.processes import this_host
from fsm_agent.runtime.runner import Runner

logger = logging.getLogger("fsm_agent")

_EVERY: Final = timedelta(seconds=1)
_NOTHING_CHANGED: Final = "driving it changes nothing"


class Worker:
    """Sweeps one store with one runner, and drives up to ``at_once`` agents at the same time. Once an hour it looks at
    all agents, some in each sweep, and applies ``retention``."""

    def __init__(
        self, runner: Runner, *, every: timedelta = _EVERY, at_once: int = 100, retention: Retention | None = None
    ) -> None:
        self._runner = runner
        self._every = every
        self._free = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._housekeeper = RetentionSweeper(runner.store, retention or Retention())
        self._driven: dict[str, asyncio.Task[None]] = {}
        #: agents that could not be driven, or that driving did not change
        self._stuck: set[str] = set()
        #: agents that the last sweep drove, with their heads before, if the sweep before it drove them too
        self._begun: dict[str, Head | None] = {}
        #: agent (``None``: a whole sweep) -> last reported problem, so that each is reported once
        self._said: dict[str | None, str] = {}
        #: agents that are to be driven once more when their turn has ended
        self._nudged: set[str] = set()
        #: store's time of the next search for leases that have run out
        self._lapsed_ms = 0
        self._is_stopped = False

    async def sweep(self, *, but: Collection[str] = ()) -> int:
        """Begin to drive all agents that are due now and not driven here yet; returns their number."""
        await self._runner.store.tend()
        moving: dict[str, Head | None] = {}
        while not moving and (fresh := await self._fresh(but)):
            moving, but = await self._moving(fresh), {*but, *fresh}  # other agents may wait behind stuck ones
        self._begun = moving
        for agent_id in self._begun:
            self._begin(agent_id)
        return len(self._begun)

    @property
    def at_work(self) -> int:
        """How many agents are driven here now."""
        return len(self._driven)

    def nudge(self, agent_id: str) -> None:
        """Drive an agent now, and not only at the next sweep: something has just happened to it. If it is driven here,
        it has another turn after this one."""
        if self._is_stopped:
            return
        if agent_id in self._driven:
            self._nudged.add(agent_id)
        else:
            self._begin(agent_id)

    def _begin(self, agent_id: str) -> None:
        task = self._driven[agent_id] = asyncio.create_task(self._drive(agent_id))
        task.add_done_callback(partial(self._forget, agent_id))

    async def _fresh(self, but: Collection[str]) -> list[str]:
        """Agents that are due, or were left behind on this host, and are not driven here yet."""
        store = self._runner.store
        now_ms = await store.now()
        due = list(await store.due(now_ms, self._at_once + len(but)))
        due += [head.id for head in await store.held_here(this_host()) if is_orphaned(head.lease, now_ms)]
        return [agent_id for agent_id in dict.fromkeys(due) if agent_id not in self._driven and agent_id not in but]

    async def _moving(self, due: Iterable[str]) -> dict[str, Head | None]:
        """The agents of ``due`` that a turn may change. One that is due in each sweep and never changes is stuck."""
        moving: dict[str, Head | None] = {}
        for agent_id in due:
            stands = await self._standing(agent_id) if agent_id in self._begun else None
            if stands is not None and stands == self._begun[agent_id]:
                self._stuck.add(agent_id)
                facts = {"action": "nothing_changed", "agent_id": agent_id}
                if self._is_news(agent_id, _NOTHING_CHANGED):
                    logger.warning("agent %s is due, and %s", agent_id, _NOTHING_CHANGED, extra=facts)
            else:
                moving[agent_id] = stands
        return moving

    async def _standing(self, agent_id: str) -> Head | None:
        """The head of an agent, without its lease."""
        try:
            return (await self._runner.store.head(agent_id))._replace(epoch=0, lease=None)
        except (AgentNotFound, AgentDamaged):
            return None

    async def run_once(self) -> int:
        """Drive due agents, and those that become due meanwhile, until none is left. Returns the number of turns.

        An agent that cannot be driven is tried once, and stays due.
        """
        total = 0
        self._stuck.clear()
        self._begun.clear()
        while begun := await self.sweep(but=self._stuck):
            total += begun
            await asyncio.gather(*self._driven.values())
        given_up: set[str] = set()
        while left := await give_up_lapsed(self._runner.store, self._at_once, but=given_up):
            given_up.update(left)
        return total

    async def run(self, stopped: asyncio.Event, *, drain_s: float = 0) -> None:
        """Sweep until ``stopped`` is set; then stop driving, after actions that work had ``drain_s`` seconds to end.

        Agents that cannot be driven are tried again after all others, so that they block nobody.
        """
        try:
            while not stopped.is_set():
                await self._sweep_safely()
                await _first_of(stopped, self._every)
            await self._drain(drain_s)
        finally:
            self._is_stopped = True
            for task in list(self._driven.values()):
                task.cancel()
            await asyncio.gather(*self._driven.values(), return_exceptions=True)

    async def _drain(self, drain_s: float) -> None:
        """Let actions that work end, for a while, and begin none."""
        self._is_stopped = True
        if not drain_s or not self._driven:
            return
        self._runner.drain()
        await asyncio.wait(list(self._driven.values()), timeout=drain_s)
        if late := sorted(self._driven):
            facts = {"action": "agents_given_back", "agent_ids": late}
            logger.warning("still at work, and given back: %s", some(late), extra=facts)

    async def _sweep_safely(self) -> None:
        """Sweep. A store that is away for a while or damaged agents do not stop the worker; a damaged store does."""
        try:
            if await self.sweep(but=self._stuck) < self._at_once:
                self._stuck.clear()
            await self._give_up_lapsed()
            await self._housekeeper.turn()
        except (StoreUnavailable, AgentDamaged) as error:
            if self._is_news(None, str(error)):
                what = "a part was left out" if isinstance(error, AgentDamaged) else "the store does not answer"
                logger.warning("%s: %s", what, error, extra={"action": "sweep_failed"})
        else:
            self._said.pop(None, None)

    async def _give_up_lapsed(self) -> None:
        """Release some leases that have run out, from time to time."""
        now_ms = await self._runner.store.now()
        if now_ms >= self._lapsed_ms:
            given_up = await give_up_lapsed(self._runner.store, self._at_once, but=self._driven)
            self._lapsed_ms = now_ms + (LEASE_MS if len(given_up) < self._at_once else 0)

    def _is_news(self, agent_id: str | None, sentence: str) -> bool:
        """Whether the sentence differs from the last one about this agent, which may be tried again and again."""
        was, self._said[agent_id] = self._said.get(agent_id), sentence
        return was != sentence

    def _forget(self, agent_id: str, task: asyncio.Task[None]) -> None:
        self._driven.pop(agent_id, None)
        if agent_id in self._nudged:
            self._nudged.discard(agent_id)
            if not task.cancelled():
                self.nudge(agent_id)

    async def _drive(self, agent_id: str) -> None:
        async with self._free:
            if self._is_stopped:
                return
            try:
                await self._runner.resume(agent_id, stay=False)
                if self._said.get(agent_id) != _NOTHING_CHANGED:
                    self._said.pop(agent_id, None)
            except LeaseHeld:
                self._stuck.add(agent_id)
                logger.debug("agent is driven elsewhere", extra={"action": "lease_held", "agent_id": agent_id})
            except FsmAgentError as error:
                self._stuck.add(agent_id)
                if self._is_news(agent_id, str(error)):
                    facts = {"action": "drive_failed", "agent_id": agent_id}
                    logger.warning("agent %s could not be driven: %s", agent_id, error, extra=facts)
            except BaseException as error:
                if is_told_to_stop(error):
                    raise
                self._stuck.add(agent_id)
                if self._is_news(agent_id, repr(error)):
                    facts = {"action": "drive_failed", "agent_id": agent_id}
                    why = f"unexpected {type(error).__name__}: {error}"
                    logger.exception("agent %s could not be driven: %s", agent_id, why, extra=facts)


async def _first_of(stopped: asyncio.Event, every: timedelta) -> None:
    try:
        async with asyncio.timeout(every.total_seconds()):
            await stopped.wait()
    except TimeoutError:
        return
