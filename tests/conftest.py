"""Fixtures that several files of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers.postgres import postgres, postgres_url
from tests.servers.redis import redis_server, redis_url
from tests.shop import Shop

__all__ = ["postgres", "postgres_url", "redis_server", "redis_url"]

# A busy machine is no mistake: what is slow shows in the whole run.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project of its own, in which the command line runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FSM_AGENT_STORE", raising=False)
    monkeypatch.delenv("FSM_AGENT_KEYS", raising=False)
    return Shop(tmp_path)
