"""``llm.generate``: a model writes, and what it writes goes into the data, in the form that their schemas say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.actions.action import Emission
from fsm_agent.actions.builtin.ending import ended
from fsm_agent.actions.builtin.models import asked, model_name
from fsm_agent.actions.builtin.recalled import rendered
from fsm_agent.actions.context import Context, insight_of
from fsm_agent.jsontypes import Json, Schema, is_required
from fsm_agent.message import Message, Role
from fsm_agent.models.words import Ask, Reply
from fsm_agent.step import NOTHING

_TEXT: Final = frozenset({"type", "default", "title", "description", "maxLength", "minLength"})


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
    """With ``conversation`` the model is shown the window, and prompt and reply are added to the thread."""
    said = await rendered(ctx, prompt)
    messages = await _messages(ctx, said, is_remembered=conversation)
    schema = output_schema(ctx, into)
    question = Ask(
        model=model_name(ctx, model),
        messages=tuple(messages),
        system=await rendered(ctx, system),
        output=schema,
        settings=settings,
        state=ctx.state,
    )
    reply = await asked(ctx, question)
    put_output(ctx, into, reply)
    if conversation:
        ctx.conversation.append(Role.ASSISTANT, reply.written)
    return ended(ctx, emit)


async def _messages(ctx: Context, said: str, *, is_remembered: bool) -> list[Message]:
    if not is_remembered:
        return [Message(Role.USER, said)]
    ctx.conversation.append(Role.USER, said, by=insight_of(ctx).head.user)
    return await ctx.conversation.window()


def output_schema(ctx: Context, into: str | list[str] | None) -> Schema | None:
    """The form of what is asked for; ``None`` is words."""
    fields = [into] if isinstance(into, str) else into or []
    schemas = {field: insight_of(ctx).schema(field) for field in fields}
    if not fields or (isinstance(into, str) and _is_text(schemas[into])):
        return None
    return {
        "type": "object",
        "properties": {field: _moved(schema, field) for field, schema in schemas.items()},
        "required": [field for field, schema in schemas.items() if is_required(schema)] or fields,
        "additionalProperties": False,
    }


def put_output(ctx: Context, into: str | list[str] | None, reply: Reply) -> None:
    """What came, where it belongs."""
    if into is None:
        return
    if reply.output is None:
        ctx.data[into if isinstance(into, str) else into[0]] = reply.text
        return
    for field, value in reply.output.items():
        ctx.data[field] = value


def _is_text(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return "string" in ([kinds] if isinstance(kinds, str) else kinds) and schema.keys() <= _TEXT


def _moved(schema: Json, field: str) -> Json:
    """A field's schema as a part of the whole: what refers to its top refers to where it stands now."""
    if isinstance(schema, list):
        return [_moved(each, field) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved = {key: _moved(each, field) for key, each in schema.items()}
    if isinstance(reference := moved.get("$ref"), str) and reference.startswith("#"):
        moved["$ref"] = f"#/properties/{field}{reference[1:]}"
    return moved
