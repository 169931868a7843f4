"""``llm.generate``: a model writes values for fields of the data, in the form of their schemas."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.actions.action import Emission
from fsm_agent.actions.builtin.llm_output import output_schema, put_output
from fsm_agent.actions.builtin.llm_request import asked, model_name
from fsm_agent.actions.builtin.result import ended
from fsm_agent.actions.builtin.templates import rendered
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.step import NOTHING
from fsm_agent.llm.types import Ask


async def generate(
    ctx: Context,
    *,
    prompt: str,
    system: str = "",
    model: str | None = None,
    into: str | list[str] | None = None,
    conversation: bool = False,
    settings: Mapping[str, Json] = NOTHING,
    emit: str | None = None,
) -> Emission:
    """Let the model write. With ``conversation`` it sees the window, and prompt and reply are added to the thread."""
    message = Message.user(await rendered(ctx, prompt))
    question = Ask(
        model=model_name(ctx, model),
        messages=tuple(await shown(ctx, message)) if conversation else (message,),
        system=await rendered(ctx, system),
        output=output_schema(ctx, into),
        settings=settings,
        state=ctx.state,
    )
    reply = await asked(ctx, question, is_heard=True)
    put_output(ctx, into, reply)
    if conversation:
        ctx.conversation.append(Role.ASSISTANT, reply.written, parts=reply.parts)
    return ended(ctx, emit)


async def shown(ctx: Context, message: Message) -> list[Message]:
    """The window of the conversation, which ends with ``message``, the new one of the user."""
    ctx.conversation.append(message.role, message.content, by=scope_of(ctx).head.user)
    return await ctx.conversation.window()
