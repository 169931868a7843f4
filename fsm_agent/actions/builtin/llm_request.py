"""One request to a model as an effect: the reply is recorded, so that it is paid for once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Chunk, Message
from fsm_agent.domain.usage import Usage, as_row, usage_of
from fsm_agent.errors import BudgetExceeded, ModelReplyInvalid
from fsm_agent.llm.resolve import default_model
from fsm_agent.llm.types import Ask, Reply
from fsm_agent.memory.token_counts import estimate, estimate_text

#: the name of the effect
_EFFECT: Final = "model"


def model_name(ctx: Context, argument: str | None) -> str:
    """The name of the model to ask; raises ``ModelUnknown`` if nothing says which."""
    around = ctx.surroundings
    return default_model(around.model, argument, environ=os.environ, configured=around.default_model)


async def asked(ctx: Context, question: Ask, *, is_heard: bool = False) -> Reply:
    """The recorded reply, or a new one. With ``is_heard``, listeners get its text while it arrives.

    A reply that cannot be used is recorded too, since it was paid for: its attempt fails, and the next attempt asks
    again. Raises ``BudgetExceeded`` before anything is asked, and other ``ModelError``.
    """
    while True:
        check_budget(ctx)
        request = _Request(ctx, question, is_heard)
        recorded = await ctx.effect(_EFFECT, request.made)
        usage = usage_of(recorded["usage"])
        ctx.outputs.spend(usage)
        if "invalid" not in recorded:
            return Reply.from_json(recorded)
        if request.is_made:
            raise ModelReplyInvalid(question.model, recorded["invalid"], usage=usage)


@dataclass(slots=True)
class _Request:
    """The request that is made if no reply is recorded."""

    ctx: Context
    question: Ask
    is_heard: bool
    is_made: bool = False

    async def made(self) -> Json:
        self.is_made = True
        models, weighed = self.ctx.surroundings.models, replace(self.question, estimated_tokens=weight(self.question))
        try:
            reply = await models.ask(weighed, on_text=self._listener())
        except ModelReplyInvalid as error:
            return {"invalid": error.why, "usage": as_row(error.usage)}
        estimated = reply.usage.estimated_tokens + estimate(reply.message)
        return reply._replace(usage=reply.usage._replace(estimated_tokens=estimated)).to_json()

    def _listener(self) -> Callable[[str], None] | None:
        ctx, listen = self.ctx, self.ctx.surroundings.listen
        if listen is None or not self.is_heard:
            return None
        return lambda text: listen(Chunk(ctx.agent_id, ctx.state, text))


def check_budget(ctx: Context) -> None:
    """Raises ``BudgetExceeded`` if the agent has used up its budget, unless an operator lets it go on."""
    scope = scope_of(ctx)
    limits, spent = scope.workflow.limits, scope.spent
    if scope.head.is_exempt:
        return
    if limits.tokens is not None and spent.tokens >= limits.tokens:
        raise BudgetExceeded("tokens", limits.tokens, spent.tokens)
    if limits.cost is not None and spent.cost_micros >= limits.cost * 1_000_000:
        raise BudgetExceeded("cost", f"${limits.cost:g}", f"${spent.cost_micros / 1_000_000:.6g}")


def weight(question: Ask) -> int:
    """An estimate of the tokens of a request; the counts of the provider correct later estimates."""
    shown: list[Json] = [[tool.name, tool.description, dict(tool.schema)] for tool in question.tools]
    if question.output is not None:
        shown.append(dict(question.output))
    texts = [question.system, *map(json.dumps, shown)]
    return sum(map(estimate, question.messages)) + sum(map(estimate_text, texts))


def refusal(ctx: Context, reply: Reply, why: str) -> list[Message]:
    """The messages of a refused reply: the reply, and the reason as the result of each call or as text. It is
    counted."""
    ctx.outputs.spend(Usage(refused=1))
    results = [Message.result(call.id, call.name, f"Refused: {why}", is_error=True) for call in reply.calls]
    return [reply.message, *(results or [Message.user(f"Refused: {why}")])]
