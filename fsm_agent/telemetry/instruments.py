"""The metrics of runners. No attribute grows with the number of agents: ids are never recorded."""

from __future__ import annotations

from typing import Final

from opentelemetry.metrics import Meter

from fsm_agent.domain.agent import Head
from fsm_agent.errors import Refused
from fsm_agent.errors.kinds import kind_of

#: of durations, in seconds: from an action that looks something up to one that asks models for minutes
BOUNDARIES_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Instruments:
    """Counters of steps and refusals, and a histogram of how long attempts take."""

    def __init__(self, meter: Meter) -> None:
        self._steps = meter.create_counter("fsm_agent.steps", "{step}", "Committed steps of agents.")
        self._refusals = meter.create_counter(
            "fsm_agent.refusals", "{refusal}", "Requests that were refused, so that nothing was changed."
        )
        self._duration = meter.create_histogram(
            "fsm_agent.action.duration",
            "s",
            "How long attempts of actions take.",
            explicit_bucket_boundaries_advisory=BOUNDARIES_S,
        )

    def attempted(self, head: Head, action: str, outcome: str, seconds: float) -> None:
        where = {"workflow": head.workflow, "state": head.state, "action": action}
        self._duration.record(seconds, {**where, "outcome": outcome})

    def committed(self, head: Head, steps: int) -> None:
        self._steps.add(steps, {"workflow": head.workflow, "status": head.status.value})

    def refused(self, error: Refused) -> None:
        self._refusals.add(1, {"kind": kind_of(error).value, "error.type": type(error).__name__})
