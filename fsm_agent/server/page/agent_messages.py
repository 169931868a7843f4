"""The messages of an agent's conversation as it saw it at a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import Message, own_thread
from fsm_agent.stores.base import Store


class Placed(NamedTuple):
    """A message, and the thread that numbers it: that of another agent, if this one was forked."""

    thread: str
    message: Message


async def read_messages(store: Store, head: Head, last: int) -> Sequence[Placed]:
    """The last messages, in order. Raises ``KeyMissing`` if they are sealed."""
    found: list[Placed] = []
    for span in reversed(head.talk.spans(head.id)):
        if len(found) >= last:
            break
        kept = await store.messages(span.thread, after=span.after, upto=span.upto, limit=last - len(found), newest=True)
        found = [*_placed(span.thread, kept), *found]
    return found


async def messages_of_step(store: Store, before: Head | None, after: Head) -> Sequence[Placed]:
    """The messages that a step has added to the agent's own thread."""
    since = before.talk.last if before else 0
    if after.talk.last <= since:
        return ()
    thread = own_thread(after.id)
    return _placed(thread, await store.messages(thread, after=since, upto=after.talk.last))


def _placed(thread: str, messages: Sequence[Message]) -> list[Placed]:
    for message in messages:
        for part in message.parts:
            refuse_sealed(part)
    return [Placed(thread, message) for message in messages]
