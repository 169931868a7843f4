"""The worker: claims and drives whatever is due, until it is stopped.

One sweep finds all of it: due timers, queued events, ended backoffs, interrupted agents whose lease has run out,
and those whose holder has died on this host. Many workers may share a store; the lease decides who drives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Final

from fsm_agent.agent import Agent, Head, Status
from fsm_agent.errors import AgentDamaged, FsmAgentError, LeaseHeld, StoreUnavailable
from fsm_agent.keeping import Housekeeper
from fsm_agent.processes import is_alive, this_host
from fsm_agent.retention import Retention
from fsm_agent.runner import Runner

logger = logging.getLogger("fsm_agent")

_EVERY: Final = timedelta(seconds=1)
#: how many agents are remembered that were driven lately
_REMEMBERED: Final = 10_000


class Worker:
    """Sweeps one store with one runner; ``at_once`` agents are driven side by side. Once an hour it looks at every
    agent, some at a sweep, and applies ``retention``."""

    def __init__(
        self, runner: Runner, *, every: timedelta = _EVERY, at_once: int = 100, retention: Retention | None = None
    ) -> None:
        self._runner = runner
        self._every = every
        self._free = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._housekeeper = Housekeeper(runner.store, retention or Retention())
        self._driven: dict[str, asyncio.Task[None]] = {}
        #: agents that could not be driven
        self._stuck: set[str] = set()
        #: what was said last of an agent that could not be driven, and of a sweep that failed: it is said once
        self._said: dict[str | None, str] = {}
        #: agents that rested after they were driven, and their versions then
        self._rested: dict[str, int] = {}

    async def sweep(self, *, but: Collection[str] = ()) -> int:
        """Begin to drive everything that is due now and is not driven here yet; returns how many that were."""
        store = self._runner.store
        await store.tend()
        due = list(await store.due(await store.now(), self._at_once + len(but)))
        due += [head.id for head in await store.held_here(this_host()) if _is_orphan(head)]
        fresh = [agent_id for agent_id in dict.fromkeys(due) if agent_id not in self._driven and agent_id not in but]
        for agent_id in fresh:
            task = self._driven[agent_id] = asyncio.create_task(self._drive(agent_id))
            task.add_done_callback(partial(self._forget, agent_id))
        return len(fresh)

    async def run_once(self) -> int:
        """Drive what is due, and what becomes due by that, until nothing is; returns how often an agent was driven.

        An agent that cannot be driven stays due; it is tried once.
        """
        total = 0
        self._stuck.clear()
        while begun := await self.sweep(but=self._stuck):
            total += begun
            await asyncio.gather(*self._driven.values())
        return total

    async def run(self, stopped: asyncio.Event) -> None:
        """Sweep until ``stopped`` is set; then let go of what is driven.

        Agents that cannot be driven are tried again once all others have had their turn, so that they hold nobody up.
        """
        try:
            while not stopped.is_set():
                await self._sweep_safely()
                await _first_of(stopped, self._every)
        finally:
            for task in list(self._driven.values()):
                task.cancel()
            await asyncio.gather(*self._driven.values(), return_exceptions=True)

    async def _sweep_safely(self) -> None:
        """A store that is gone for a while stops no worker, and neither do agents that are damaged; a store that is
        damaged as a whole does."""
        try:
            if await self.sweep(but=self._stuck) < self._at_once:
                self._stuck.clear()
            await self._housekeeper.turn()
        except (StoreUnavailable, AgentDamaged) as error:
            if self._is_news(None, str(error)):
                what = "a part was left out" if isinstance(error, AgentDamaged) else "the store does not answer"
                logger.warning("%s: %s", what, error, extra={"action": "sweep_failed"})
        else:
            self._said.pop(None, None)

    def _note_rest(self, agent: Agent) -> None:
        """Put an agent off that is due, rests when it has been driven, and has taken no step by that: its row says that
        it has work, and there is none. It would be driven again and again, at once."""
        if len(self._rested) > _REMEMBERED:
            self._rested.clear()
        if agent.status is Status.RUNNING or self._rested.get(agent.id) != agent.version:
            self._rested[agent.id] = agent.version
            return
        self._stuck.add(agent.id)
        facts = {"action": "drive_idle", "agent_id": agent.id}
        logger.debug("agent %s was due, and has nothing to do", agent.id, extra=facts)

    def _is_news(self, agent_id: str | None, sentence: str) -> bool:
        """Whether this is not what was said last of the same: an agent that cannot be driven is tried again and
        again."""
        was, self._said[agent_id] = self._said.get(agent_id), sentence
        return was != sentence

    def _forget(self, agent_id: str, _: asyncio.Task[None]) -> None:
        self._driven.pop(agent_id, None)

    async def _drive(self, agent_id: str) -> None:
        async with self._free:
            try:
                agent = await self._runner.resume(agent_id, stay=False)
                self._said.pop(agent_id, None)
                self._note_rest(agent)
            except LeaseHeld:
                self._stuck.add(agent_id)
                logger.debug("agent is driven elsewhere", extra={"action": "lease_held", "agent_id": agent_id})
            except FsmAgentError as error:
                self._stuck.add(agent_id)
                if self._is_news(agent_id, str(error)):
                    facts = {"action": "drive_failed", "agent_id": agent_id}
                    logger.warning("agent %s could not be driven: %s", agent_id, error, extra=facts)
            except Exception as error:
                self._stuck.add(agent_id)
                if self._is_news(agent_id, repr(error)):
                    facts = {"action": "drive_failed", "agent_id": agent_id}
                    logger.exception("agent %s could not be driven", agent_id, extra=facts)


def _is_orphan(head: Head) -> bool:
    """Whether the process that drives an agent has died without giving its lease up."""
    return head.lease is not None and is_alive(head.lease.holder) is False


async def _first_of(stopped: asyncio.Event, every: timedelta) -> None:
    try:
        async with asyncio.timeout(every.total_seconds()):
            await stopped.wait()
    except TimeoutError:
        return
