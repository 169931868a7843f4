"""Retries: whether an action that has failed is tried again, and when. Pure."""

from __future__ import annotations

from fsm_agent.domain.state import Retry
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Failed


def is_backing_off(aggregate: Aggregate) -> bool:
    return aggregate.head.retry_ms is not None and aggregate.head.retry_ms > aggregate.now_ms


def next_attempt_ms(aggregate: Aggregate, failure: Failed) -> int | None:
    """When the action is tried again after ``failure``; ``None`` if it is not."""
    failures, retry = aggregate.head.attempts + 1, aggregate.program.state(aggregate.head.state).retry
    if not retry or failures >= retry.attempts or not is_covered(retry, failure):
        return None
    return aggregate.now_ms + max(retry.delay_ms(failures), failure.retry_after_ms)


def is_covered(retry: Retry, failure: Failed) -> bool:
    """Whether a retry is declared for this failure: by the class of the exception, or one of its bases."""
    return failure.is_retryable and (not retry.on or not set(retry.on).isdisjoint(failure.types))
