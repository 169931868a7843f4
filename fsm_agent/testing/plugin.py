"""pytest plugin: ``fake_clock``, and ``memory_store`` that runs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fsm_agent.runtime.scripted.clock import FakeClock
    from fsm_agent.stores.base import Store


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    from fsm_agent.runtime.scripted.clock import FakeClock

    return FakeClock()


@pytest.fixture
def memory_store(fake_clock: FakeClock) -> Store:
    """An empty store in this process, on ``fake_clock``."""
    from fsm_agent.stores.urls import open_store

    return open_store("memory://", clock=fake_clock)
