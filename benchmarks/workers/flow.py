"""The load of a worker: agents with three actions of 5 ms each, which note when they begin and when they end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from fsm_agent import Context, State, Workflow, action

ACTION_S: Final = 0.005
#: that a worker makes of an agent: each action ends with one
STEPS: Final = 3


@dataclass(slots=True)
class Diary:
    """Moments of the clock that all processes of a host share."""

    #: agent -> when its first action began
    began: dict[str, float] = field(default_factory=dict)
    #: agent -> when its last action ended
    ended: dict[str, float] = field(default_factory=dict)
    #: actions that have begun
    actions: int = 0


#: of this process
DIARY: Final = Diary()


async def _work(ctx: Context) -> str:
    DIARY.actions += 1
    await asyncio.sleep(ACTION_S)
    ctx.data.n += 1
    return "next"


@action(emits=["next"])
async def one(ctx: Context) -> str:
    DIARY.began.setdefault(ctx.agent_id, time.monotonic())
    return await _work(ctx)


@action(emits=["next"])
async def two(ctx: Context) -> str:
    return await _work(ctx)


@action(emits=["next"])
async def three(ctx: Context) -> str:
    word = await _work(ctx)
    DIARY.ended[ctx.agent_id] = time.monotonic()
    return word


ACTIONS: Final = (one, two, three)

FLOW: Final = Workflow(
    "three_actions",
    version=1,
    data={"n": {"type": "integer", "default": 0}, "text": {"type": "string", "default": "x" * 400}},
    events={"go": {}, "next": {}},
    initial="idle",
    states=[
        State("idle", on={"go": "one"}),
        State("one", do=one, on={"next": "two"}),
        State("two", do=two, on={"next": "three"}),
        State("three", do=three, on={"next": "rest"}),
        State("rest", after={"30d": "over"}),
        State("over", final=True),
    ],
)
