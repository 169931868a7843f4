"""The conversations that an action is given: the agent's own, the one that its workflow names, others by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import THREAD_NAME, THREAD_RULE, own_thread
from fsm_agent.errors import ActionError
from fsm_agent.memory.conversation import Conversation, Summarise, Written
from fsm_agent.memory.conversation_reader import whole
from fsm_agent.memory.token_counts import corrected, estimate, scale_of

if TYPE_CHECKING:
    from fsm_agent.actions.context import ActionFacts, Context
    from fsm_agent.memory.conversation import Once


def conversation_of(
    context: ActionFacts, name: str | None, *, once: Once | None, summarise: Summarise | None
) -> Conversation:
    """The thread of that name; without one, the conversation that the workflow declares."""
    if context.insight is None or context.outside is None:
        raise ActionError("a conversation needs a runner or `testing.drive`, and this context was made by hand")
    if name is not None and THREAD_NAME.fullmatch(name) is None:
        raise ActionError(f"there is no thread {name!r}: {THREAD_RULE}")
    head, rule = context.insight.head, context.insight.recall
    thread = name or rule.thread or own_thread(head.id)
    is_own = thread == own_thread(head.id)
    return Conversation(
        thread,
        head.talk.spans(head.id) if is_own else whole(thread),
        read=context.outside.read,
        pending=context.notes.pending(thread),
        rule=rule,
        count=corrected(estimate, scale_of(context.insight.spent)),
        once=once,
        summarise=summarise,
        spend=context.notes.spend,
        at_ms=context.now_ms,
    )


def summary_by_model(context: Context) -> Summarise:
    """Has a model write it, which is imported when the first summary is due."""

    async def write(messages: list[dict[str, Json]], max_tokens: int) -> Written:
        from fsm_agent.actions.builtin.llm_summary import summarise

        return await summarise(context, messages, max_tokens)

    return write
