"""The message history of pydantic-ai (extra ``llm``), kept in a shared thread.

result = await agent.run("Hello", message_history=await history_of(thread))
await remember(thread, result.new_messages())
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

try:
    from fsm_agent.llm import pydantic_messages
except ImportError:
    raise ImportError(
        "fsm_agent.adapters.pydantic_ai needs a library that is not installed: pip install 'fsm-agent[llm]'"
    ) from None

from fsm_agent.domain.message import Message, Role
from fsm_agent.memory.threads import Thread

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage


async def history_of(thread: Thread, *, max_tokens: int | None = None) -> list[ModelMessage]:
    """The messages of a thread, for ``message_history``. With ``max_tokens`` no more than that, as in
    ``Thread.window``; without it all, but for summaries, since what they stand for is there."""
    if max_tokens is not None:
        return pydantic_messages.from_messages(_told(await thread.window(max_tokens)))
    messages = await thread.messages()
    return pydantic_messages.from_messages(_told(each for each in messages if each.role is not Role.SUMMARY))


async def remember(thread: Thread, messages: Sequence[ModelMessage], *, by: str | None = None) -> None:
    """Add what a run has said, all of it or nothing; ``history_of`` gives it back as it was. ``by`` is whose words a
    person's are, so that they can be forgotten."""
    said = pydantic_messages.to_messages(messages)
    await thread.add([each._replace(by=by) if by and each.role is Role.USER else each for each in said])


def _told(messages: Iterable[Message]) -> Iterable[Message]:
    """What there is in them for pydantic-ai, without what only we count and name."""
    return (each._replace(tokens=0, by=None) for each in messages if each.tells(pydantic_messages.THEIRS))
