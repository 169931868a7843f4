"""One request to a model as an effect: what was answered is on record, and is never paid for twice."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from fsm_agent.actions.context import Context, insight_of
from fsm_agent.errors import BudgetExceeded, ModelReplyInvalid
from fsm_agent.jsontypes import Json
from fsm_agent.memory.counting import estimate, estimate_text
from fsm_agent.message import Chunk, Message
from fsm_agent.models.names import default_model, resolve
from fsm_agent.models.request import ask
from fsm_agent.models.words import Ask, Reply
from fsm_agent.usage import Usage

#: the name of the effect
_EFFECT = "model"


def model_name(ctx: Context, argument: str | None) -> str:
    """The model that counts; raises ``ModelUnknown`` where nobody names one."""
    around = ctx.surroundings
    return default_model(around.model, argument, environ=os.environ, configured=around.default_model)


async def asked(ctx: Context, question: Ask) -> Reply:
    """The reply on record, or a new one, streamed to whoever listens. Raises a ``ModelError``."""
    check_budget(ctx)
    recorded: Mapping[str, Json] = await ctx.effect(_EFFECT, partial(_answered, ctx, estimated(question)))
    reply = Reply.from_json(recorded)
    ctx.notes.spend(reply.usage)
    return reply


async def _answered(ctx: Context, question: Ask) -> Json:
    model = await asyncio.to_thread(resolve, question.model)
    try:
        reply = await ask(model, question, on_text=_listener(ctx))
    except ModelReplyInvalid as error:
        ctx.notes.spend(error.usage)  # it was paid for, though nothing is on record
        raise
    return reply.to_json()


def _listener(ctx: Context) -> Callable[[str], None] | None:
    listen = ctx.surroundings.listen
    return None if listen is None else lambda text: listen(Chunk(ctx.agent_id, ctx.state, text))


def check_budget(ctx: Context) -> None:
    """Raises ``BudgetExceeded`` if the agent has spent what it may; an operator may let it go on."""
    insight = insight_of(ctx)
    limits, spent = insight.workflow.limits, insight.spent
    if insight.head.is_exempt:
        return
    if limits.tokens is not None and spent.tokens >= limits.tokens:
        raise BudgetExceeded("tokens", limits.tokens, spent.tokens)
    if limits.cost is not None and spent.cost_micros >= limits.cost * 1_000_000:
        raise BudgetExceeded("cost", f"${limits.cost:g}", f"${spent.cost_micros / 1_000_000:.6g}")


def estimated(question: Ask) -> Ask:
    """With what it weighs, as far as that can be told here; the provider's count corrects it later."""
    tokens = sum(map(estimate, question.messages)) + estimate_text(question.system)
    tokens += sum(
        estimate_text(json.dumps([tool.name, tool.description, dict(tool.schema)])) for tool in question.tools
    )
    return replace(question, estimated_tokens=tokens)


def refused(ctx: Context, reply: Reply, why: Sequence[tuple[str, str]], otherwise: str) -> list[Message]:
    """What a model is told whose reply was refused: ``why`` for each call, by its id, or ``otherwise`` if it called
    nothing. It counts."""
    ctx.notes.spend(Usage(refused=1))
    if not why:
        return [reply.message, Message.user(otherwise)]
    return [reply.message, *(result_of(call, text, is_error=True) for call, text in why)]


def result_of(call_id: str, text: str, *, name: str = "", is_error: bool = False) -> Message:
    """The result of a call, as a message."""
    return Message.result(call_id, name, text, is_error=is_error)
