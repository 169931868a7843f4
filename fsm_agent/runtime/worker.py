"""The worker: it takes and drives due agents, until it is stopped.

Due are agents with a timer that has run out, a queued event, a backoff that has ended, and those that a process has
left behind. A worker takes as many of them at once as it has places for; what several workers take is disjoint. It
looks again at once while there are more than it has places for, else when the store's bell rings, and from time to time
in any case, since rings may be lost.

No agent blocks the others: one that cannot be driven, or that driving does not change, has its next turn after all
others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final

from fsm_agent.concurrency.cancellation import is_told_to_stop
from fsm_agent.data.arguments import check, strings
from fsm_agent.domain.lease import Claimed
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.text import some
from fsm_agent.errors import AgentDamaged, AgentNotFound, FsmAgentError, LeaseHeld, StoreError, StoreUnavailable
from fsm_agent.runtime.claims import Driven
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.sweep_timer import SweepTimer
from fsm_agent.runtime.upkeep import Upkeep

logger = logging.getLogger("fsm_agent")

_EVERY: Final = timedelta(seconds=1)
_NOTHING_CHANGED: Final = "driving it changes nothing"


class Worker:
    """Drives the agents of one store with one runner, up to ``at_once`` at the same time, those of all workflows or of
    the named ones. It looks for due agents ``every`` so often; once an hour it looks at all agents, some in each turn,
    and applies ``retention``."""

    def __init__(
        self,
        runner: Runner,
        *,
        every: timedelta = _EVERY,
        at_once: int = 100,
        retention: Retention | None = None,
        workflows: Collection[str] | None = None,
    ) -> None:
        check(at_once=at_once)
        self._store = runner.store
        self._runner = runner
        self._claims = runner.claims
        self._at_once = at_once
        self._timer = SweepTimer(every, at_once, lambda: len(self._tasks))
        self._workflows = None if workflows is None else strings("workflows", workflows)
        self._places = asyncio.Semaphore(at_once)
        self._upkeep = Upkeep(runner.store, retention or Retention())
        self._tasks: set[asyncio.Task[None]] = set()
        #: agent -> the task that drives it
        self._driven: dict[str, asyncio.Task[None]] = {}
        #: agents that could not be driven, or that driving did not change; they are held until all others had a turn
        self._kept: dict[str, Claimed] = {}
        #: where agents are left to others, since their actions are missing here: definition, state
        self._without: set[tuple[str, str]] = set()
        #: agent (``None``: all) -> last reported problem, so that each is reported once
        self._said: dict[str | None, str] = {}
        #: agents that are to be driven once more when their turn has ended
        self._nudged: set[str] = set()
        #: set when nothing may begin any more
        self._stopped = asyncio.Event()
        self._upkeep_s = 0.0

    @property
    def at_work(self) -> int:
        """How many agents are driven here now."""
        return len(self._tasks)

    def nudge(self, agent_id: str) -> None:
        """Drive an agent now: something has just happened to it. If it is driven here, it has another turn after this
        one."""
        if self._stopped.is_set():
            return
        if agent_id in self._driven:
            self._nudged.add(agent_id)
        else:
            self._begin(agent_id, partial(self._claims.resume, agent_id))

    async def run_once(
        self, stopped: asyncio.Event | None = None, *, drain_s: float = 0, cancelled: asyncio.Event | None = None
    ) -> int:
        """Drive due agents, and those that become due meanwhile, until none is left. Returns the number of turns.

        An agent that cannot be driven is tried once, and stays due. ``stopped`` and what follows are as of ``run``.
        """
        total = 0
        around = [asyncio.create_task(self._stop_at(stopped or asyncio.Event(), drain_s))]
        try:
            await self._store.tend()
            await self._upkeep.release_orphans()
            while not self._stopped.is_set() and (begun := await self._take()):
                total += begun
                await _wait_for_all(self._tasks, unless=self._stopped)
            await self._drain(drain_s, cancelled)
        finally:
            await self._end(around)
        await self._upkeep.give_up_lapsed()
        return total

    async def run(self, stopped: asyncio.Event, *, drain_s: float = 0, cancelled: asyncio.Event | None = None) -> None:
        """Drive until ``stopped`` is set; then begin nothing more, and let what works end for ``drain_s`` seconds, or
        until ``cancelled`` is set. What works then is stopped, and given back to others."""
        around = [asyncio.create_task(self._stop_at(stopped, drain_s)), asyncio.create_task(self._listen())]
        try:
            while not stopped.is_set():
                await self._turn()
                await self._timer.wait()
            await self._drain(drain_s, cancelled)
        finally:
            self._stopped.set()
            await self._end(around)

    async def _end(self, around: Collection[asyncio.Task[None]]) -> None:
        """Stop what still works, and give everything back."""
        for task in (*around, *self._tasks):
            task.cancel()
        await asyncio.gather(*around, *self._tasks, return_exceptions=True)
        await self._give_back()

    async def _turn(self) -> None:
        """Take due agents, and from time to time do the rest. A store that is away for a while or damaged agents do not
        stop the worker; a damaged store does."""
        self._timer.begin()
        now_s = asyncio.get_running_loop().time()
        try:
            free = self._at_once - len(self._tasks)
            self._timer.is_full = await self._take() >= free
            if now_s >= self._upkeep_s:
                self._upkeep_s = now_s + self._timer.every_s
                if not self._timer.is_full:
                    await self._give_back()
                if await self._upkeep.turn(self._driven):
                    self._timer.ring()
        except (StoreUnavailable, AgentDamaged) as error:
            self._timer.is_full = False
            if self._is_news(None, str(error)):
                what = "a part was left out" if isinstance(error, AgentDamaged) else "the store does not answer"
                logger.warning("%s: %s", what, error, extra={"action": "sweep_failed"})
        else:
            self._said.pop(None, None)

    async def _take(self) -> int:
        """Take as many due agents as there are places, and begin to drive them; returns their number."""
        free = self._at_once - len(self._tasks)
        if free <= 0:
            return 0
        taken = await self._claims.take(free, workflows=self._workflows, without=self._without)
        for claimed in taken:
            self._begin(claimed.agent_id, partial(self._claims.drive, claimed), claimed)
        return len(taken)

    async def _stop_at(self, stopped: asyncio.Event, drain_s: float) -> None:
        """Begin nothing more as soon as ``stopped`` is set."""
        await stopped.wait()
        self._stopped.set()
        self._timer.stop()
        if drain_s:
            self._runner.drain()

    async def _listen(self) -> None:
        """Hear the bell. Without it the worker finds the same agents, only later."""
        try:
            await self._store.listen(self._timer.ring)
        except StoreError as error:
            logger.warning("the bell of the store is not heard: %s", error, extra={"action": "bell_lost"})

    async def _drain(self, drain_s: float, cancelled: asyncio.Event | None) -> None:
        """Let actions that work end, for a while; what has not begun goes back at once."""
        await self._give_back()
        if not drain_s or not self._tasks:
            return
        await _wait_for_all(self._tasks, unless=cancelled or asyncio.Event(), timeout_s=drain_s)
        if late := sorted(self._driven):
            facts = {"action": "agents_given_back", "agent_ids": late}
            logger.warning("still at work, and given back: %s", some(late), extra=facts)

    async def _give_back(self) -> None:
        """Release the agents that were kept."""
        kept, self._kept = self._kept, {}
        for claimed in kept.values():
            with suppress(StoreUnavailable, AgentNotFound):  # then its lease runs out, or it was deleted
                await self._claims.release(claimed)

    def _begin(self, agent_id: str, drive: Callable[[], Awaitable[Driven]], claimed: Claimed | None = None) -> None:
        task = asyncio.create_task(self._drive(agent_id, drive, claimed))
        self._tasks.add(task)
        self._driven[agent_id] = task
        task.add_done_callback(partial(self._forget, agent_id))

    def _forget(self, agent_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._timer.free()
        if self._driven.get(agent_id) is not task:
            return
        del self._driven[agent_id]
        if agent_id in self._nudged:
            self._nudged.discard(agent_id)
            if not task.cancelled():
                self.nudge(agent_id)

    async def _drive(self, agent_id: str, drive: Callable[[], Awaitable[Driven]], claimed: Claimed | None) -> None:
        async with self._places:
            if self._stopped.is_set():
                self._keep(claimed)
                await self._give_back()
                return
            try:
                driven = await drive()
            except LeaseHeld:
                logger.debug("agent is driven elsewhere", extra={"action": "lease_held", "agent_id": agent_id})
            except FsmAgentError as error:
                self._keep(claimed)
                self._tell_failure(agent_id, str(error))
            except BaseException as error:
                if is_told_to_stop(error):
                    raise
                self._keep(claimed)
                self._tell_failure(agent_id, f"unexpected {type(error).__name__}: {error}", error)
            else:
                self._conclude(agent_id, driven, claimed)

    def _conclude(self, agent_id: str, driven: Driven, claimed: Claimed | None) -> None:
        facts = {"agent_id": agent_id, "workflow": driven.workflow, "state": driven.state}
        if driven.is_vain:
            self._keep(claimed)
            if self._is_news(agent_id, _NOTHING_CHANGED):
                facts["action"] = "nothing_changed"
                logger.warning("agent %s is due, and %s", agent_id, _NOTHING_CHANGED, extra=facts)
        elif driven.missing is not None:
            place = (driven.definition, driven.state)
            if place not in self._without:
                self._without.add(place)
                where = f"state {driven.state!r} of workflow {driven.workflow!r}"
                why = "agents in %s are left to workers that have its action: %s"
                logger.warning(why, where, driven.missing, extra=facts | {"action": "action_missing"})
        else:
            self._said.pop(agent_id, None)

    def _keep(self, claimed: Claimed | None) -> None:
        if claimed is not None:
            self._kept[claimed.agent_id] = claimed

    def _tell_failure(self, agent_id: str, why: str, error: BaseException | None = None) -> None:
        if self._is_news(agent_id, why):
            facts = {"action": "drive_failed", "agent_id": agent_id}
            level = logging.WARNING if error is None else logging.ERROR
            logger.log(level, "agent %s could not be driven: %s", agent_id, why, exc_info=error, extra=facts)

    def _is_news(self, agent_id: str | None, sentence: str) -> bool:
        """Whether the sentence differs from the last one about this agent, which may be tried again and again."""
        was, self._said[agent_id] = self._said.get(agent_id), sentence
        return was != sentence


async def _wait_for_all(
    tasks: Collection[asyncio.Task[None]], *, unless: asyncio.Event, timeout_s: float | None = None
) -> None:
    """Returns when all tasks have ended, the event is set, or the time is over. The tasks go on in any case."""
    told = asyncio.create_task(unless.wait())
    ended = asyncio.create_task(_all_of(tasks))
    try:
        await asyncio.wait((ended, told), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        ended.cancel()


async def _all_of(tasks: Collection[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
