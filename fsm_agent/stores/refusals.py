"""What stores refuse with, alike in all of them."""

from __future__ import annotations

from fsm_agent.errors import Conflict


def moved_on(agent_id: str, expected: int, actual: int) -> Conflict:
    """The refusal of a compare-and-set; with equal versions it was the epoch, the lease, a key or the queue."""
    return Conflict(agent_id, expected, actual if actual != expected else None)
