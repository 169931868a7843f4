"""A response that sends server-sent events until there are no more, or until nobody takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fsm_agent.errors import FsmAgentError

logger = logging.getLogger("fsm_agent")

#: seconds that a client has to take what is sent
_PATIENCE_S: Final = 10.0


class EventStream(Response):
    """Sends ``events``, each a text that ends with an empty line. A client that does not take them is cut off."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sender = asyncio.create_task(self._send(send))
        listener = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sender, listener), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, listener):
                task.cancel()
            await asyncio.gather(sender, listener, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events) as events:  # type: ignore[type-var]
            try:
                async for event in events:
                    async with asyncio.timeout(_PATIENCE_S):
                        await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
            except TimeoutError:
                logger.info("a client that takes no events was cut off", extra={"action": "stream_cut"})
                return
            except FsmAgentError as error:
                logger.info("a stream ended: %s", error, extra={"action": "stream_ended"})
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
