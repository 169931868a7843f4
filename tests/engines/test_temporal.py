"""Temporal keeps the contract of engines, with a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsm_agent.testing import RemoteEngineContract
from tests.support.servers.temporal_server import TemporalServer

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def temporal() -> Iterator[TemporalServer]:
    with TemporalServer() as server:
        yield server


class TestTemporal(RemoteEngineContract):
    @pytest.fixture
    def engine_server(self, temporal: TemporalServer) -> TemporalServer:
        return temporal

    @pytest.fixture
    def engine_url(self, temporal: TemporalServer) -> str:
        return temporal.url()
