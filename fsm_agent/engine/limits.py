"""The limits of a workflow on steps, time and visits. Pure."""

from __future__ import annotations

from fsm_agent.domain.agent import Head
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.errors import LimitExceeded


def check_limits(aggregate: Aggregate, moved: Head) -> None:
    """Raises ``LimitExceeded`` if a step goes beyond what the workflow declares, unless an operator let it."""
    if aggregate.head.is_exempt:
        return
    limits = aggregate.program.workflow.limits
    if limits.steps is not None and moved.version > limits.steps:
        raise LimitExceeded("steps", limits.steps, aggregate.head.state)
    if limits.wall_time is not None and moved.activation == moved.version:
        spent_ms = aggregate.now_ms - aggregate.head.created_ms
        if spent_ms > limits.wall_time.ms:
            raise LimitExceeded("wall_time", limits.wall_time.text, aggregate.head.state)
    if moved.visits is not aggregate.head.visits:
        for path, bound in limits.visits.items():
            if moved.visits.get(path, 0) > max(bound, aggregate.head.visits.get(path, 0)):
                raise LimitExceeded(f"visits.{path}", bound, aggregate.head.state)
