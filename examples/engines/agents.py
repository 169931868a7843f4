"""The agents of these examples: each does two pieces of work, then rests."""

from __future__ import annotations

import os
from typing import Any, Final

from fsm_agent import State, Workflow, action
from fsm_agent.actions.context import Context

VISIT: Final[Any] = Workflow(
    "visit",
    version=1,
    data={"pids": {"type": "array", "items": {"type": "integer"}, "default": []}},
    events={"go": {}, "ok": {}},
    initial="idle",
    states=[
        State("idle", on={"go": "first"}),
        State("first", do="work", on={"ok": "second"}),
        State("second", do="work", on={"ok": "resting"}),
        State("resting", on={"go": "first"}),
    ],
)


@action
async def work(ctx: Context) -> str:
    ctx.data.pids.append(os.getpid())
    return "ok"
