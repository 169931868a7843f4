"""The port of engines: systems that carry wake-ups from whoever hands an agent over to workers that drive it.

An engine knows agents by their ids alone, and decides nothing. Whether an agent is due, who may drive it and what has
happened to it stand in the store. So nothing is lost with a wake-up, and nothing is done twice when one is repeated.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Self, TypeAlias

from fsm_agent.domain.agent import Head
from fsm_agent.errors import AgentNotFound, FsmAgentError, LeaseHeld, StoreUnavailable
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.wakeups import Wakeups

logger = logging.getLogger("fsm_agent")

#: What is due later than this is left to the sweep: an engine need not remember it.
HORIZON_MS: Final = 300_000
#: When an agent is looked at again that is due although it has just been driven.
_AGAIN_MS: Final = 1_000
#: And one whose store does not answer.
_STORE_AWAY_MS: Final = 5_000

#: Drives an agent as far as it goes now; returns the milliseconds until it needs somebody again, ``None`` if never.
Advance: TypeAlias = Callable[[str], Awaitable[int | None]]


class Engine(ABC):
    """One engine, for the agents of one namespace. Use it as ``async with``: it connects, and closes at the end."""

    #: where it is, without a password
    url: str

    async def connect(self) -> None:
        """Raises ``EngineUnavailable`` if the engine cannot be reached. An engine without a place does nothing."""
        return

    @abstractmethod
    def wakeups(self) -> Wakeups:
        """What sends wake-ups through this engine. It works without ``connect``, and connects when it first has to."""

    @abstractmethod
    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        """Call ``advance`` for each agent that is woken, for at most ``at_once`` at the same time.

        ``advance`` raises nothing but ``CancelledError``. An agent may be advanced by several workers at the same time:
        its lease says who drives it. After the milliseconds that it returns the agent is advanced once more; that may
        be left to the sweep, and is if they are more than ``HORIZON_MS``.

        When ``stopped`` is set, nothing is begun any more; what runs may end within ``drain_s`` seconds, and is
        cancelled then. Returns when nothing runs. Raises ``EngineUnavailable`` if the engine will not serve.
        """

    async def close(self) -> None:
        """Give back what was opened. An engine that has opened nothing does nothing."""
        return

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def advance(runner: Runner, agent_id: str, *, workflows: Collection[str] | None = None) -> int | None:
    """Drive an agent as far as it goes now; returns the milliseconds until it needs somebody again, ``None`` if never.

    Raises nothing but ``CancelledError``. Whoever cannot be driven here is left to the sweep of a worker that can: an
    agent of none of ``workflows`` (``None`` is all), one whose action is missing here, one that is damaged.
    """
    try:
        return await _drive(runner, agent_id, workflows)
    except LeaseHeld as held:
        return await _until(runner, held)
    except AgentNotFound:
        return None
    except StoreUnavailable as error:
        logger.info("agent %s could not be driven: %s", agent_id, error, extra=_facts(agent_id))
        return _STORE_AWAY_MS
    except FsmAgentError as error:
        logger.warning("agent %s could not be driven: %s", agent_id, error, extra=_facts(agent_id))
    except Exception as error:
        why = f"unexpected {type(error).__name__}: {error}"
        logger.exception("agent %s could not be driven: %s", agent_id, why, extra=_facts(agent_id))
    return None


async def _drive(runner: Runner, agent_id: str, workflows: Collection[str] | None) -> int | None:
    store = runner.store
    if workflows is not None and (await store.head(agent_id)).workflow not in workflows:
        return None
    if (await runner.claims.resume(agent_id)).missing is not None:
        return None
    return needed_in_ms(await store.head(agent_id), await store.now())


def needed_in_ms(head: Head, now_ms: int) -> int | None:
    """How long an agent needs nobody: until it is due, or until the lease ends under which somebody drives it."""
    if head.lease is not None:
        return max(_AGAIN_MS, head.lease.until_ms - now_ms)
    return None if head.wake_ms is None else max(_AGAIN_MS, head.wake_ms - now_ms)


async def _until(runner: Runner, held: LeaseHeld) -> int:
    try:
        return max(_AGAIN_MS, held.lease.until_ms - await runner.store.now())
    except StoreUnavailable:
        return _STORE_AWAY_MS


def _facts(agent_id: str) -> dict[str, str]:
    return {"action": "drive_failed", "agent_id": agent_id}
