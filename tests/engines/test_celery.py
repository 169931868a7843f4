"""The engine that reads what Celery carries keeps the contract."""

from __future__ import annotations

import pytest

from fsm_agent.testing import RemoteEngineContract
from tests.support.servers.redis import RedisServer


class TestCeleryEngine(RemoteEngineContract):
    @pytest.fixture
    def engine_url(self, redis_server: RedisServer) -> str:
        return f"celery+{redis_server.url()}"

    @pytest.fixture
    def engine_server(self, redis_server: RedisServer) -> RedisServer:
        return redis_server
