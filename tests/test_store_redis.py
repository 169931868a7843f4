"""Agents in a Redis server, and in a cluster."""

from __future__ import annotations

import pytest

from fsm_agent.testing import DurableStoreContract


class TestRedisStore(DurableStoreContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url
