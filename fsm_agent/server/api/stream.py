"""The steps of an agent as they happen, as server-sent events.

- ``step``: one step as ``/steps`` lists it; its id is its version, by which a client that comes again goes on.
- ``forgotten``: steps that the history has forgotten before the client was told of them, ``from`` one ``to`` another.
- ``retry``: an action has failed and is tried again; the data are the ``Retry`` of the agent, and there is no id.
- ``end``: there will be no more, since the agent has ``ended`` or was ``deleted``.
- ``failed``: the history cannot be read; the problem says why.

Without any of them the stream goes on: a client whose connection breaks asks again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.responses import Response

from fsm_agent.domain.agent import ENDED, Head
from fsm_agent.domain.agent_view import trying
from fsm_agent.domain.problem import Problem
from fsm_agent.errors import AgentNotFound, FsmAgentError, StoreUnavailable
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.event_stream import EventStream
from fsm_agent.server.feed import Watch
from fsm_agent.server.problems import problem_of
from fsm_agent.server.service import Service
from fsm_agent.server.step_pages import FIRST_PAGE, event

#: seconds without an event after which a comment tells proxies that the stream lives
_QUIET_S: Final = 15.0
_COMMENT: Final = b": the stream lives\n\n"
_RETRY: Final = b"retry: 1000\n\n"


async def stream(call: Call) -> Reply:
    """Every step after the one that ``Last-Event-ID`` or ``after`` names, and those to come. A stream ends with the
    agent; who asks again then is told with 204 that there will be no more."""
    service = call.service
    head = await service.runner.store.head(call.id)
    after = int(call.headers.get("Last-Event-ID", call.query.get("after", 0)))
    if after > head.version:
        after = 0  # what the client has read is of another agent, which was deleted
    if head.status in ENDED and after == head.version:
        return Reply(Response(status_code=204))
    if head.version > after:
        await service.pages.after(head, after)  # what cannot be read is told with a status
    return Reply(EventStream(_Follower(service, head, after).events()))


class _Follower:
    """How far one stream has come with an agent."""

    def __init__(self, service: Service, head: Head, after: int) -> None:
        self._service = service
        #: as it was known last
        self._head = head
        self._after = after
        self._limit = FIRST_PAGE
        #: number of the attempt that was told last, and why the one before it failed
        self._retry: tuple[int, Problem | None] | None = None

    async def events(self) -> AsyncIterator[bytes]:
        """What is to be sent, until the agent ends or the server stops."""
        feed = self._service.feed
        with feed.watch(self._head.id) as watch:
            feed.observe(self._head)
            yield _RETRY
            while not feed.is_closed:
                chunks: Sequence[bytes] = ()
                try:
                    chunks = await self._news(watch)
                except StoreUnavailable as error:
                    feed.miss(error)
                except FsmAgentError as error:
                    yield _last_word(error, self._head.id)
                    return
                for chunk in chunks:
                    yield chunk
                if not chunks and self._has_ended:
                    yield event("end", {"reason": "ended"})
                    return
                if not chunks and not await watch.change(_QUIET_S):
                    yield _COMMENT

    async def _news(self, watch: Watch) -> Sequence[bytes]:
        """The next steps that were not sent yet, or else the attempt that comes next, if any are known. Raises
        ``AgentNotFound`` if the agent is gone."""
        head = watch.head
        if head is None:
            head = await self._service.runner.store.head(self._head.id)
            self._service.feed.observe(head)
        if head.created_ms != self._head.created_ms or head.version < self._head.version:
            raise AgentNotFound(head.id)  # another one has its id
        self._head = head
        if head.version <= self._after:
            return self._next_attempt(head)
        page = await self._service.pages.after(head, self._after, self._limit)
        self._after, self._limit = page.last, page.limit
        return page.chunks

    def _next_attempt(self, head: Head) -> Sequence[bytes]:
        """The attempt that comes next, unless it was told."""
        retry = trying(head)
        told, self._retry = self._retry, retry and (retry.attempt, retry.problem)
        if retry is None or self._retry == told:
            return ()
        return (event("retry", retry.to_json()),)

    @property
    def _has_ended(self) -> bool:
        return self._head.status in ENDED and self._head.version <= self._after


def _last_word(error: FsmAgentError, agent_id: str) -> bytes:
    if isinstance(error, AgentNotFound):
        return event("end", {"reason": "deleted"})
    return event("failed", problem_of(error).to_json(f"/v1/agents/{agent_id}/stream"))
