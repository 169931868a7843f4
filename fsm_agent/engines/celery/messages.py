"""What senders and receivers of wake-ups have in common: the application, the queue and the task of a namespace."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu.connection import Connection

from fsm_agent.runtime.wakeups import WAKE_S

#: A message that nobody has read for so long is thrown away unread: a sweep has long found the agent.
EXPIRES_S: Final = 300
#: A broker that does not answer is an error, soon: Celery itself would wait and try again for ever.
_IMPATIENT: Final = {
    "interval_start": 0,
    "max_retries": 0,
    "socket_connect_timeout": WAKE_S / 2,
    "socket_timeout": WAKE_S,
}
_SETTINGS: Final[dict[str, Any]] = {
    "accept_content": ["json"],
    "broker_connection_timeout": WAKE_S / 2,
    "broker_transport_options": _IMPATIENT,
    "task_ignore_result": True,
    "task_serializer": "json",
    "worker_hijack_root_logger": False,
}


def queue_name(namespace: str) -> str:
    """The queue to which the agents of a namespace belong."""
    return f"fsm-agent.{namespace}"


def task_name(namespace: str) -> str:
    """The task that advances one of them. Each namespace has its own, so that no worker drives agents of another."""
    return f"fsm_agent.advance.{namespace}"


def new_app() -> Celery:
    """An application of ours. It is not the current one of this process, which may have one of its own."""
    app = Celery("fsm-agent", set_as_current=False)
    app.conf.update(_SETTINGS)
    return app


class Sender:
    """Sends messages through one connection, in whichever thread calls it, one call at a time."""

    def __init__(self, app: Celery, namespace: str, *, broker: str | None = None) -> None:
        """``broker`` is where to send to instead of where the application does."""
        self._app = app
        self._broker = broker
        self._task = task_name(namespace)
        self._queue = queue_name(namespace)
        self._connection: Connection | None = None
        self._producer: Any = None

    def send(self, agent_id: str) -> None:
        """Raises whatever Celery does; the next call connects anew."""
        try:
            self._app.send_task(
                self._task,
                args=[agent_id],
                queue=self._queue,
                producer=self._connected(),
                serializer="json",
                expires=EXPIRES_S,
                ignore_result=True,
                retry=False,
            )
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.release()

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._app.connection_for_write(self._broker)
            self._producer = self._app.amqp.Producer(self._connection)
        return self._producer
