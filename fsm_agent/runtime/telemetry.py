"""The port for telemetry: what a runner tells of its work while it does it."""

from __future__ import annotations

from typing import Protocol

from fsm_agent.domain.agent import Head
from fsm_agent.errors import Refused
from fsm_agent.runtime.executor import Executor


class Telemetry(Protocol):
    """Records what a runner does. It is quick, changes nothing and raises nothing: a step that is recorded is committed
    already. ``fsm_agent.telemetry.OpenTelemetry`` is one."""

    def traced(self, executor: Executor) -> Executor:
        """An executor that does what ``executor`` does, and records each attempt."""

    def committed(self, head: Head, steps: int) -> None:
        """An agent has made so many steps; ``head`` is the agent after the last of them."""

    def refused(self, error: Refused) -> None:
        """A caller wanted something of an agent that is not allowed, and nothing was changed."""
