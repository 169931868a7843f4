"""Wake-ups as messages of Celery."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from celery import Celery

from fsm_agent.engines.celery.messages import Sender
from fsm_agent.runtime.wakeups import SentWakeups
from fsm_agent.stores.urls import check_namespace, without_password


class CeleryWakeups(SentWakeups):
    """Sends through an application of Celery. What is due later is left to the sweep: a broker keeps no ``eta``
    message safely, and workers would hold all of them in memory.

    Give the application's broker a ``socket_timeout``: without one, a broker that hangs holds the thread that sends.
    """

    def __init__(self, app: Celery, *, namespace: str = "default", broker: str | None = None) -> None:
        """``broker`` is a URL to send to instead of where the application does."""
        check_namespace(namespace)
        super().__init__(f"Celery at {without_password(broker or app.connection_for_write().as_uri())}")
        self._sender = Sender(app, namespace, broker=broker)
        #: Celery blocks, and a connection is for one thread at a time
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fsm-agent celery")

    async def wake(self, agent_id: str, at_ms: int | None = None) -> None:
        if at_ms is None:
            await super().wake(agent_id)

    async def send(self, agent_id: str, at_ms: int | None) -> None:  # noqa: ARG002 - see ``wake``
        await asyncio.get_running_loop().run_in_executor(self._thread, self._sender.send, agent_id)

    def close(self) -> None:
        """Close the connection, when what is being sent is sent. Nothing can be sent any more."""
        self._thread.submit(self._sender.close)
        self._thread.shutdown(wait=False)
