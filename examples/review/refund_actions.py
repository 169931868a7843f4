"""What the state ``paying`` of both versions does; a review reads its text, and runs nothing of it."""

from __future__ import annotations

from typing import Literal

from fsm_agent import Context, action


@action(writes=[])
def pay_back(ctx: Context) -> Literal["paid"]:
    """Pay the amount back, once: with the same key, a bank pays a second time nothing."""
    print(f"{ctx.data.amount} for order {ctx.data.order}, with the key {ctx.agent_id}")
    return "paid"
