"""``human.ask``: the agent asks a person, and waits in this state for the answer."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.actions.action import Asking
from fsm_agent.actions.builtin.templates import recalled, rendered
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.text import shortened
from fsm_agent.errors import ActionError


async def ask(ctx: Context, *, prompt: str, events: Sequence[str], to: str | None = None) -> Asking:
    """Ask ``prompt``. ``to`` is CEL: a name, or a list of names."""
    text = await rendered(ctx, prompt)
    if to is None:
        return ctx.ask(text, events)
    scope = scope_of(ctx)
    whom = scope.value(to, await recalled(ctx, scope.mentions(to)))
    names = whom if isinstance(whom, list) else [whom]
    if not names or not all(isinstance(name, str) for name in names):
        raise ActionError(f"`to: {to}` gives {shortened(whom)}, and whom to ask must be a name or a list of names")
    return ctx.ask(text, events, to=names)
