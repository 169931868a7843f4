"""A response that sends server-sent events until there are no more, until the client is gone, or until it may not be
told any more: its token is looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fsm_agent.server.access import Access, Caller
from fsm_agent.server.problems import HttpProblem

#: seconds for which a token is believed to be what it was
_BELIEVED_S: Final = 5.0


class EventStream(Response):
    """Sends ``events``, each the bytes of whole events."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            await self._send_until_gone(_Admission(Request(scope)), receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _send_until_gone(self, admission: _Admission, receive: Receive, send: Send) -> None:
        sender = asyncio.create_task(self._send(admission, send))
        listener = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sender, listener), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, listener):
                task.cancel()
            await asyncio.gather(sender, listener, return_exceptions=True)
        if not sender.cancelled():
            sender.result()

    async def _send(self, admission: _Admission, send: Send) -> None:
        async with aclosing(self._events) as events:  # type: ignore[type-var]
            async for event in events:
                if not admission.holds:
                    return
                await send({"type": "http.response.body", "body": event, "more_body": True})


class _Admission:
    """Whether who asks is still who they were, and may what they might."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._access: Access = request.app.state.access
        self._caller: Caller = self._access.caller(request)
        self._until_s = monotonic() + _BELIEVED_S

    @property
    def holds(self) -> bool:
        if monotonic() < self._until_s:
            return True
        self._until_s = monotonic() + _BELIEVED_S
        try:
            caller = self._access.caller(self._request)
        except HttpProblem:
            return False
        return caller == self._caller


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
