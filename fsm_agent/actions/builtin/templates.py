"""Texts of built-in actions: besides the data, they may mention the user and the conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.json import Json
from fsm_agent.expressions.values import written


async def rendered(ctx: Context, text: str, *, write: Callable[[Json], str] = written) -> str:
    """The prompt with the present values; ``write`` makes text of the values of expressions."""
    scope = scope_of(ctx)
    return scope.render(text, await recalled(ctx, scope.needs(text)), write=write)


async def recalled(ctx: Context, needs: Iterable[str], **more: Json) -> Mapping[str, Json]:
    """The values that the text mentions; others are not read."""
    found: dict[str, Json] = dict(more)
    named = [name.partition(".") for name in needs]
    if any(root == "user" for root, _, _ in named):
        found["user"] = _nobody(ctx) if ctx.outputs.user is None else ctx.user.plain()
    parts = {part for root, _, part in named if root == "conversation"}
    if parts:
        found["conversation"] = await _conversation(ctx, parts)
    return found


def _nobody(ctx: Context) -> dict[str, Json]:
    """What a workflow sees of a user who is not known yet."""
    declared = scope_of(ctx).workflow.user
    return {name: schema["default"] for name, schema in declared.items() if "default" in schema}


async def _conversation(ctx: Context, parts: set[str]) -> dict[str, Json]:
    conversation, found = ctx.conversation, dict[str, Json](count=0, last="", text="")
    if "count" in parts:
        found["count"] = await conversation.count()
    if "last" in parts:
        found["last"] = "".join(message.content for message in await conversation.tail(1))
    if "text" in parts:
        lines = (f"{message.role}: {message.content}" for message in await conversation.window())
        found["text"] = "\n".join(lines)
    return found
