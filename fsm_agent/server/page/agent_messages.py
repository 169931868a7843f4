"""The messages of an agent's conversation as it saw it at a version."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import Message, own_thread
from fsm_agent.stores.base import Store


async def read_messages(store: Store, head: Head, last: int) -> Sequence[Message]:
    """The last messages, in order. Raises ``KeyMissing`` if they are sealed."""
    found: list[Message] = []
    for span in reversed(head.talk.spans(head.id)):
        if len(found) >= last:
            break
        kept = await store.messages(span.thread, after=span.after, upto=span.upto, limit=last - len(found), newest=True)
        found = [*kept, *found]
    return _clear(found)


async def messages_of_step(store: Store, before: Head | None, after: Head) -> Sequence[Message]:
    """The messages that a step has added to the agent's own thread."""
    since = before.talk.last if before else 0
    if after.talk.last <= since:
        return ()
    return _clear(await store.messages(own_thread(after.id), after=since, upto=after.talk.last))


def _clear(messages: Sequence[Message]) -> Sequence[Message]:
    for message in messages:
        for part in message.parts:
            refuse_sealed(part)
    return messages
