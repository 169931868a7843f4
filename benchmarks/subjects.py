"""The agents that are measured: realistic data of about 500 bytes, async actions, every promise on."""

from __future__ import annotations

from typing import Any

from fsm_agent import Context, State, Workflow, action

DATA = {
    "goal": "Book a flight to NYC for two, with a window seat and no more than one stop on the way",
    "count": 0,
    "until": 0,
    "customer": {"id": "user_456", "name": "Ana Lovelace", "tier": "gold", "email": "ana@example.org"},
    "options": [
        {"flight": "SB 101", "price": 412, "stops": 0, "departs": "2027-02-05T08:10"},
        {"flight": "NW 88", "price": 377, "stops": 1, "departs": "2027-02-05T11:45"},
        {"flight": "SB 309", "price": 455, "stops": 0, "departs": "2027-02-05T18:20"},
    ],
    "note": "",
}

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
    ctx.data.note = f"compared the prices of offer {ctx.data.count} with those of the day before"
    return "again" if ctx.data.count < ctx.data.until else "enough"


@action(emits=["again", "enough"])
async def talk(ctx: Context) -> str:
    """One step of a conversation: appends a message of 200 bytes."""
    ctx.data.messages.append({"role": "user", "content": "x" * 168})
    return "again" if len(ctx.data.messages) < ctx.data.until else "enough"


WORKING = Workflow(
    "working",
    version=1,
    data=FIELDS,
    events={"go": {}, "again": {}, "enough": {}, "poke": {}},
    initial="idle",
    states=[
        State("idle", on={"go": "working"}),
        State(
            "working",
            do=work,
            on={"again": {"target": "working", "when": "data.count < data.until"}, "enough": "waiting"},
        ),
        State("waiting", after={"30d": "done"}, on={"poke": {"target": "waiting", "assign": {"note": "'poked'"}}}),
        State("done", final=True),
    ],
)

TALKING = Workflow(
    "talking",
    version=1,
    data={"until": "integer", "messages": {"type": "array", "items": {"type": "object"}, "default": []}},
    events={"again": {}, "enough": {}},
    initial="talking",
    states=[State("talking", do=talk, on={"again": "talking", "enough": "done"}), State("done", final=True)],
)
