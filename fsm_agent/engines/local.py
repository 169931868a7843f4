"""Wake-ups within one process: for an application that has its own worker, over a store that has no bell.

Whoever opens ``local://`` or ``local://NAME`` in one process reaches the worker that serves it there.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, Self

from fsm_agent.engines.agent_tasks import AgentTasks
from fsm_agent.engines.base import Advance, Engine
from fsm_agent.runtime.wakeups import Wakeups


class _Service(NamedTuple):
    loop: asyncio.AbstractEventLoop
    tasks: AgentTasks


#: (URL, namespace) -> who serves it in this process
_SERVED: Final[dict[tuple[str, str], _Service]] = {}


class LocalEngine(Engine):
    """See the module. It keeps nothing: a wake-up is lost while nobody serves."""

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self._place = (url, namespace)

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        return cls(url, namespace)

    def wakeups(self) -> Wakeups:
        return _LocalWakeups(self._place)

    async def serve(self, advance: Advance, *, at_once: int, stopped: asyncio.Event, drain_s: float) -> None:
        service = _Service(asyncio.get_running_loop(), AgentTasks(advance, at_once=at_once))
        _SERVED[self._place] = service
        try:
            await stopped.wait()
            await service.tasks.drain(drain_s)
        finally:
            if _SERVED.get(self._place) is service:
                del _SERVED[self._place]
            await service.tasks.cancel()


class _LocalWakeups(Wakeups):
    """Callers may be in another thread than the worker."""

    needs_loop = False

    def __init__(self, place: tuple[str, str]) -> None:
        self._place = place

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:  # noqa: ARG002 - what is for later comes early
        service = _SERVED.get(self._place)
        if service is not None and not service.loop.is_closed():
            service.loop.call_soon_threadsafe(service.tasks.wake, agent_id)
