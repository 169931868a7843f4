"""Agents in this process."""

from __future__ import annotations

import pytest

from fsm_agent.testing import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"
