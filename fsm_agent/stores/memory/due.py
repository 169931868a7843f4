"""Which agents in memory need somebody now."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from operator import itemgetter

from fsm_agent.domain.lease import lease_runs
from fsm_agent.stores.memory.agent import Kept


def longest_due(agents: Mapping[str, Kept], now_ms: int, limit: int) -> list[str]:
    """The ids of those that are due and that nobody holds, the longest due first."""
    waking = ((kept.wake_ms, agent_id) for agent_id, kept in agents.items() if not lease_runs(kept.lease, now_ms))
    due = ((wake_ms, agent_id) for wake_ms, agent_id in waking if wake_ms is not None and wake_ms <= now_ms)
    return [agent_id for _, agent_id in heapq.nsmallest(limit, due, key=itemgetter(0))]
