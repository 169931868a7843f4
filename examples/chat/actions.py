"""The actions of ``workflows/chat.yaml``: what is remembered of the person one talks with."""

from __future__ import annotations

from typing import Literal

from fsm_agent import Context, action


@action(inline=True)
def greet(ctx: Context) -> Literal["greeted"]:
    """Says hello, as one does to somebody whom one knows, or does not."""
    user = ctx.user
    user.visits += 1
    ctx.data.reply = f"Hello again, {user.name}." if user.name else "Hello. Who are you, and what can I do for you?"
    return "greeted"


@action(inline=True)
def remember(ctx: Context) -> Literal["remembered"]:
    """Keeps what the model has found worth remembering, for the next conversation with the same person."""
    found = ctx.data.plain("learned")
    user = ctx.user
    user.name = found["name"] or user.name
    for fact in found["facts"]:
        if fact not in user.facts:
            user.facts.append(fact)
    return "remembered"
