"""Words as rows: scalars for what a database compares and counts, JSON text for the rest.

All backends keep the same rows. Every text passes ``encode`` and ``decode``. JSON only, compact; the numbers for kinds
and statuses are for ever, since files keep them.
"""

from fsm_agent.stores.codec.events import event_text, queued_of, queued_row, queued_text
from fsm_agent.stores.codec.heads import (
    FREE,
    HeldRow,
    LeaseRow,
    MovingRow,
    PinRow,
    head_of,
    lease_row,
    moving_row,
    pin_row,
    status_number,
    status_of,
)
from fsm_agent.stores.codec.json_text import decode, encode, weight
from fsm_agent.stores.codec.rows import (
    EffectRow,
    effect_of,
    effect_row,
    origin_of,
    origin_row,
    snapshot_of,
    snapshot_row,
)
from fsm_agent.stores.codec.steps import StepRow, step_of, step_row
from fsm_agent.stores.codec.threads import MessageRow, message_of, message_row, message_rows, user_of, user_row

__all__ = [
    "FREE",
    "EffectRow",
    "HeldRow",
    "LeaseRow",
    "MessageRow",
    "MovingRow",
    "PinRow",
    "StepRow",
    "decode",
    "effect_of",
    "effect_row",
    "encode",
    "event_text",
    "head_of",
    "lease_row",
    "message_of",
    "message_row",
    "message_rows",
    "moving_row",
    "origin_of",
    "origin_row",
    "pin_row",
    "queued_of",
    "queued_row",
    "queued_text",
    "snapshot_of",
    "snapshot_row",
    "status_number",
    "status_of",
    "step_of",
    "step_row",
    "user_of",
    "user_row",
    "weight",
]
