"""The workflow of Temporal that sees to one agent: it has the agent advanced when it is woken, or when a time comes.

It knows the agent by its id, and remembers only when it is due next. It ends when that is never, or so late that it is
left to the sweep; the next wake-up starts it anew. However many steps an agent takes, one activity is one pair of
events in Temporal's history.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

from fsm_agent.engines.base import HORIZON_MS

WORKFLOW: Final = "fsm-agent"
ACTIVITY: Final = "advance"
SIGNAL: Final = "wake"
#: what the activity returns for an agent that needs nobody
NEVER: Final = -1

#: A worker that has said nothing for so long is dead, and another one goes on.
HEARTBEAT: Final = timedelta(seconds=6)
#: An action may work for days; its lease and its heartbeat say whether its worker lives.
_LONGEST: Final = timedelta(days=30)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30))


@workflow.defn(name=WORKFLOW, sandboxed=False)
class Dispatch:
    """See the module."""

    def __init__(self) -> None:
        #: when the agent is due next, as far as is known
        self._due_ms: int | None = None

    @workflow.signal(name=SIGNAL)
    def wake(self, at_ms: int = 0) -> None:
        """The agent is due at ``at_ms``; 0 is now."""
        self._due_ms = at_ms if self._due_ms is None else min(at_ms, self._due_ms)

    @workflow.run
    async def run(self, agent_id: str, due_ms: int | None = None) -> None:
        """``due_ms`` is what the run before this one knew."""
        if due_ms is not None:
            self.wake(due_ms)
        while self._due_ms is not None:
            await self._until_due()
            self._due_ms = None
            rest_ms: int = await workflow.execute_activity(
                ACTIVITY,
                agent_id,
                result_type=int,
                start_to_close_timeout=_LONGEST,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=_RETRY,
            )
            if NEVER < rest_ms <= HORIZON_MS:
                self.wake(_now_ms() + rest_ms)
            if self._due_ms is not None and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(args=[agent_id, self._due_ms])

    async def _until_due(self) -> None:
        while (due_ms := self._due_ms) is not None and (rest_ms := due_ms - _now_ms()) > 0:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda seen=due_ms: self._due_ms != seen,  # type: ignore[misc]
                    timeout=timedelta(milliseconds=rest_ms),
                )


def _now_ms() -> int:
    """The time by Temporal's clock, which tells the same time again when a workflow is replayed."""
    return int(workflow.now().timestamp() * 1000)
