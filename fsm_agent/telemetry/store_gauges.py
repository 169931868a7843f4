"""How many agents and open questions there are, as metrics.

To count agents a store looks at all of them, and only a coroutine can wait for it, while a metric is read by a plain
function, in whatever thread. So whoever reads it gets what was counted last; if that is old, agents are counted again
for the next reader. While nobody reads, nothing is counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from fsm_agent.domain.agent import ENDED
from fsm_agent.domain.selection import Tally
from fsm_agent.errors import FsmAgentError

logger = logging.getLogger("fsm_agent")

#: how old a count may be
MAX_AGE_S: Final = 10.0
#: limit of states that are told apart, those with the most agents first
MOST_STATES: Final = 500


class StoreGauges:
    """``fsm_agent.agents`` and ``fsm_agent.questions.open``. ``refresh`` counts, in the event loop of the store."""

    def __init__(
        self,
        meter: Meter,
        *,
        tally: Callable[[], Awaitable[Iterable[Tally]]],
        questions: Callable[[], Awaitable[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tally = tally
        self._questions = questions
        self._clock = clock
        self._counting = asyncio.Lock()
        self._counted_s = -math.inf
        self._agents: Sequence[Observation] = ()
        self._open: Sequence[Observation] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        meter.create_observable_gauge(
            "fsm_agent.agents", [self._observe_agents], "{agent}", "Agents, by workflow, status and state."
        )
        meter.create_observable_gauge(
            "fsm_agent.questions.open", [self._observe_open], "{question}", "Questions that nobody has answered yet."
        )

    async def refresh(self) -> None:
        """Count again if the last count is older than 10 s. If the store fails, that is logged, and nothing is shown,
        since an old number looks like a present one."""
        self._loop = asyncio.get_running_loop()
        async with self._counting:
            if self._is_old:
                try:
                    self._agents = [*agent_observations(await self._tally())]
                    self._open = [Observation(await self._questions())]
                except FsmAgentError as error:
                    self._agents = self._open = ()
                    logger.warning("agents cannot be counted: %s", error, extra={"action": "agents_not_counted"})
                self._counted_s = self._clock()

    @property
    def _is_old(self) -> bool:
        return self._clock() - self._counted_s >= MAX_AGE_S

    def _observe_agents(self, _: CallbackOptions) -> Sequence[Observation]:
        self._refresh_soon()
        return self._agents

    def _observe_open(self, _: CallbackOptions) -> Sequence[Observation]:
        self._refresh_soon()
        return self._open

    def _refresh_soon(self) -> None:
        if self._loop is not None and self._is_old:
            with suppress(RuntimeError):  # the loop is closed: nobody can count any more
                self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self.refresh())


def agent_observations(tallies: Iterable[Tally]) -> Iterable[Observation]:
    """One observation for each workflow, status and state. Agents that have ended are not told apart by state, and
    neither are those beyond the largest 500: both are counted without ``state``. So there are only as many as workflows
    and their states."""
    states: set[tuple[str, str]] = set()
    counts: Counter[tuple[str, str, str]] = Counter()
    for workflow, state, status, agents in sorted(tallies, key=lambda tally: -tally.agents):
        is_told = status not in ENDED and (len(states) < MOST_STATES or (workflow, state) in states)
        if is_told:
            states.add((workflow, state))
        counts[workflow, status.value, state if is_told else ""] += agents
    for (workflow, name, state), count in counts.items():
        yield Observation(count, {"workflow": workflow, "status": name, **({"state": state} if state else {})})
