"""The message history of pydantic-ai (extra ``llm``), kept in a thread.

result = await agent.run("Hello", message_history=await history_of(thread))
await remember(thread, result.new_messages())
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsm_agent.threads import Thread

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage


async def history_of(thread: Thread, *, last: int | None = None) -> list[ModelMessage]:
    """The messages of a thread, or the last of them, for ``message_history``."""
    from fsm_agent.models.speech import from_messages

    messages = await thread.messages(last=last)
    return from_messages(message._replace(tokens=0) for message in messages)  # what we count is no news to them


async def remember(thread: Thread, messages: Sequence[ModelMessage]) -> None:
    """Add what a run has said; ``history_of`` gives it back as it was."""
    from fsm_agent.models.speech import to_messages

    await thread.add(list(to_messages(messages)))
