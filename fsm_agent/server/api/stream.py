"""The steps of an agent as they happen, as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response

from fsm_agent.domain.agent import ENDED
from fsm_agent.domain.step import Step
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.event_stream import EventStream
from fsm_agent.server.service import Service

_PAGE: Final = 200
#: seconds without an event after which a comment tells proxies that the stream lives
_QUIET_S: Final = 15.0


async def stream(call: Call) -> Reply:
    """Every step after the one that ``Last-Event-ID`` or ``after`` names, and those to come. A stream ends with the
    agent; who asks again then is told with 204 that there will be no more."""
    store = call.service.runner.store
    head = await store.head(call.id)
    after = int(call.headers.get("Last-Event-ID", call.query.get("after", 0)))
    if head.status in ENDED and after >= head.version:
        return Reply(Response(status_code=204))
    return Reply(EventStream(_events(call.service, call.id, after)))


async def _events(service: Service, agent_id: str, after: int) -> AsyncIterator[str]:
    store = service.runner.store
    yield "retry: 1000\n\n"
    with service.feed.watch(agent_id) as bell:
        while not service.feed.is_closed:
            while steps := await store.history(agent_id, after=after, limit=_PAGE):
                for step in steps:
                    yield _event(step)
                after = steps[-1].version
            head = await store.head(agent_id)
            if head.status in ENDED and head.version <= after:
                yield "event: end\ndata: {}\n\n"
                return
            if head.version <= after and not await bell.wait(_QUIET_S):
                yield ": the stream lives\n\n"


def _event(step: Step) -> str:
    return f"id: {step.version}\nevent: step\ndata: {json.dumps(step.to_json(), ensure_ascii=False)}\n\n"
