"""The engine of a command: what tells workers of agents that are left to them, and what tells a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.errors import EngineUrlInvalid

if TYPE_CHECKING:
    from fsm_agent.engines import Engine, Wakeups


def wakeups_of(settings: CommandSettings) -> Wakeups | None:
    """Wake-ups through the engine of these settings. ``None`` without one, or with one that wakes nobody but its own
    process: then the bell of the store rings."""
    if settings.engine is None or _is_local(settings.engine):
        return None
    from fsm_agent.engines import EngineWakeups

    return EngineWakeups(settings.engine, settings.namespace)


def engine_of(settings: CommandSettings) -> Engine | None:
    """The engine of a worker, not connected yet; raises ``EngineUrlInvalid``."""
    if settings.engine is None:
        return None
    if _is_local(settings.engine):
        raise EngineUrlInvalid(
            f"engine {settings.engine} wakes agents of its own process alone: leave it out, and the bell of the store "
            "wakes workers"
        )
    from fsm_agent.engines import open_engine

    return open_engine(settings.engine, namespace=settings.namespace)


def _is_local(url: str) -> bool:
    return url.startswith("local:")
