"""The engine of a command: what tells workers of agents that are left to them, and what tells a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_agent.cli.settings import CommandSettings

if TYPE_CHECKING:
    from fsm_agent.engines import Engine, Wakeups


def wakeups_of(settings: CommandSettings) -> Wakeups | None:
    """Wake-ups through the engine of these settings. ``None`` without one: then the bell of the store rings."""
    if settings.engine is None:
        return None
    from fsm_agent.engines import EngineWakeups

    return EngineWakeups(settings.engine, settings.namespace)


def engine_of(settings: CommandSettings) -> Engine | None:
    """The engine of a worker, not connected yet; raises ``EngineUrlInvalid``."""
    if settings.engine is None:
        return None
    from fsm_agent.engines import open_engine

    return open_engine(settings.engine, namespace=settings.namespace)
