"""The agents that are measured: realistic data of about 500 bytes, async actions, every promise on."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.matter import DATA, message, note
from fsm_agent import Context, State, Workflow, action

__all__ = ["DATA", "EFFECTING", "FIELDS", "SPEAKING", "TALKING", "WORKING", "speak", "talk", "work", "work_outside"]

FIELDS: dict[str, Any] = {
    "goal": "string",
    "count": {"type": "integer", "default": 0},
    "until": {"type": "integer", "default": 0},
    "customer": "object",
    "options": {"type": "array", "items": {"type": "object"}, "default": []},
    "note": {"type": "string", "default": ""},
}


@action(emits=["again", "enough"])
async def work(ctx: Context) -> str:
    """One step of work: changes two fields of six."""
    ctx.data.count += 1
    ctx.data.note = note(ctx.data.count)
    return "again" if ctx.data.count < ctx.data.until else "enough"


async def compare(offer: int) -> str:
    return note(offer)


@action(emits=["again", "enough"])
async def work_outside(ctx: Context) -> str:
    """The same, and what it writes is the recorded result of an effect."""
    ctx.data.count += 1
    ctx.data.note = await ctx.effect("compare", compare, ctx.data.count)
    return "again" if ctx.data.count < ctx.data.until else "enough"


@action(emits=["again", "enough"])
async def talk(ctx: Context) -> str:
    """One step of a conversation: appends a message of 200 bytes."""
    ctx.data.messages.append(message(len(ctx.data.messages)))
    return "again" if len(ctx.data.messages) < ctx.data.until else "enough"


@action(emits=["again", "enough"])
async def speak(ctx: Context) -> str:
    """The same in a thread."""
    said = ctx.visits["speaking"]
    ctx.conversation.append("user", json.dumps(message(said)))
    return "again" if said < ctx.data.until else "enough"


_WAITING = State("waiting", after={"30d": "done"}, on={"poke": {"target": "waiting", "assign": {"note": "'poked'"}}})


def _working(name: str, do: Any) -> Workflow:
    again = {"target": "working", "when": "data.count < data.until"}
    return Workflow(
        name,
        version=1,
        data=FIELDS,
        events={"go": {}, "again": {}, "enough": {}, "poke": {}},
        initial="idle",
        states=[
            State("idle", on={"go": "working"}),
            State("working", do=do, on={"again": again, "enough": "waiting"}),
            _WAITING,
            State("done", final=True),
        ],
    )


WORKING = _working("working", work)
EFFECTING = _working("effecting", work_outside)

TALKING = Workflow(
    "talking",
    version=1,
    data={"until": "integer", "messages": {"type": "array", "items": {"type": "object"}, "default": []}},
    events={"again": {}, "enough": {}},
    initial="talking",
    states=[State("talking", do=talk, on={"again": "talking", "enough": "done"}), State("done", final=True)],
)

SPEAKING = Workflow(
    "speaking",
    version=1,
    data={"until": "integer"},
    events={"again": {}, "enough": {}},
    initial="speaking",
    states=[State("speaking", do=speak, on={"again": "speaking", "enough": "done"}), State("done", final=True)],
)
