"""What the states ``packing`` and ``sending`` of a parcel do."""

from __future__ import annotations

from typing import Literal

from fsm_agent import Context, action

#: what a box adds to the weight
_BOX_KG = 0.4


@action(writes=["weight_kg"])
def pack(ctx: Context) -> Literal["light", "heavy"]:
    """Pack the item; somebody is asked before a heavy parcel is sent."""
    ctx.data.weight_kg = ctx.data.item_kg + _BOX_KG
    return "light" if ctx.data.weight_kg <= ctx.data.limit_kg else "heavy"


async def _hand_over(parcel: str) -> str:
    """Stands for a request to a carrier, who takes a parcel of one name once, and tells the number to track it by."""
    return f"T-{parcel}"


@action(writes=["tracking"])
async def send(ctx: Context) -> Literal["sent"]:
    """Hand the parcel over to the carrier."""
    ctx.data.tracking = await ctx.effect("hand_over", _hand_over, ctx.agent_id)
    return "sent"
