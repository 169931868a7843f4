"""Reads the messages of one queue, as Celery's own worker would.

A worker of Celery cannot live beside others in a process: it takes over the signals, and what it knows of its tasks is
global. What a worker needs of it here is one loop around the connection, and that is all there is.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from celery import Celery
from kombu.connection import Connection
from kombu.message import Message

from fsm_agent.engines.celery.messages import queue_name, task_name

logger = logging.getLogger("fsm_agent")

#: how long a call waits for a message
_POLL_S: Final = 1


def ping(app: Celery, broker: str) -> None:
    """Raises if the broker does not answer."""
    with app.connection_for_read(broker) as connection:
        connection.ensure_connection(max_retries=0, timeout=connection.connect_timeout)


class Receiver:
    """See the module. It connects when it is made. All calls block, and come from one thread."""

    def __init__(self, app: Celery, namespace: str, *, broker: str) -> None:
        self._queue = queue_name(namespace)
        self._task = task_name(namespace)
        self._arrived: deque[Message] = deque()
        self._connection: Connection = app.connection_for_read(broker)
        channel, queues = self._connection.default_channel, [app.amqp.queues[self._queue]]
        consumer = app.amqp.TaskConsumer(channel, queues=queues, on_message=self._arrived.append)
        consumer.qos(prefetch_count=1)
        consumer.consume()

    def next(self, is_stopped: Callable[[], bool]) -> str | None:
        """The agent that the next message names, ``None`` if none has come for a moment. A message is acknowledged
        before anything happens; one that comes after the stop is left to other workers."""
        try:
            if not self._arrived:
                self._connection.drain_events(timeout=_POLL_S)
        except TimeoutError:
            return None
        if not self._arrived:
            return None
        message = self._arrived.popleft()
        if is_stopped():
            message.requeue()
            return None
        return self._accepted(message)

    def close(self) -> None:
        self._connection.release()

    def _accepted(self, message: Message) -> str | None:
        """Acknowledge a message, whatever it is, and read it."""
        message.ack()
        agent_id = self._agent_of(message)
        if agent_id is None:
            facts = {"action": "message_ignored"}
            logger.warning("a message in queue %s is no wake-up, and is ignored", self._queue, extra=facts)
        return agent_id

    def _agent_of(self, message: Message) -> str | None:
        if message.headers.get("task") != self._task:
            return None
        try:
            match message.decode():
                case [[str(agent_id)], *_]:
                    return agent_id
        except Exception:
            logger.debug("a message cannot be read", exc_info=True)
        return None
