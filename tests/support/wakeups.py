"""Wake-ups that only note what they are told."""

from __future__ import annotations

from fsm_agent.runtime.wakeups import Wakeups


class NotedWakeups(Wakeups):
    needs_loop = False

    def __init__(self) -> None:
        #: agent and time of each wake-up
        self.noted: list[tuple[str, int | None]] = []

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        self.noted.append((agent_id, at_ms))

    def taken(self) -> list[tuple[str, int | None]]:
        """What was noted since the last look."""
        noted, self.noted = self.noted, []
        return noted
