"""Agents in one SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_agent.testing import DurableStoreContract


class TestSqliteStore(DurableStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/agents.db"
