"""Wake-ups for whoever only hands agents over, and mostly has none to hand over."""

from __future__ import annotations

from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.wakeups import OutageLog, Wakeups
from fsm_agent.stores.urls import without_password


class EngineWakeups(Wakeups):
    """Wake-ups through the engine at ``url``, which is opened when the first one is sent: its library takes longer to
    import than most commands take in all. A URL that is wrong is a warning, as everything that goes wrong here is."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._namespace = namespace
        self._opened: Wakeups | None = None
        self._outage = OutageLog(f"agents that are due cannot be told to {without_password(url)}")

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        if self._opened is None:
            from fsm_agent.engines.urls import open_engine

            try:
                self._opened = open_engine(self._url, namespace=self._namespace).wakeups()
            except FsmAgentError as error:
                self._outage.begins(error)
                return
        await self._opened.wake(agent_id, at_ms)
