"""Agents in a PostgreSQL database."""

from __future__ import annotations

import pytest

from fsm_agent.testing import DurableStoreContract


class TestPostgresStore(DurableStoreContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
