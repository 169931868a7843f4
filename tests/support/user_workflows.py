"""Workflows with users: one remembers its user, in the other the words of users go everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fsm_agent import Context, action
from fsm_agent.domain.conversation import ProgressRule
from fsm_agent.domain.message import Message, Role, own_thread
from fsm_agent.domain.state import Ask, Duration, Retry, State, Timer, Transition
from fsm_agent.domain.usage import Usage
from fsm_agent.domain.workflow import Workflow
from tests.support.workflows import to

TASTES: Final = Workflow(
    name="tastes",
    version=1,
    initial="resting",
    user={
        "name": {"type": ["string", "null"]},
        "likes": {"type": "array", "items": {"type": "string"}, "default": []},
        "visits": {"type": "integer", "minimum": 0, "default": 0},
    },
    events={"go": {"what": {"type": ["string", "null"]}}, "learned": {}, "tired": {}},
    states=(
        State("resting", on={"go": (to("learning"),), "tired": (to("done"),)}),
        State(
            "learning",
            do="learn",
            on={"learned": (to("resting"),), "error": (to("failed"),), "timeout": (to("failed"),)},
        ),
        State("done", final=True),
        State("failed", final=True, outcome="failed"),
    ),
)


def merging(**policies: Any) -> Workflow:
    """The same, with merge policies for ``user.FIELD``."""
    return replace(TASTES, merge={f"user.{name}": policy for name, policy in policies.items()})


def impatient(**known: Any) -> Workflow:
    """The same, whose work is retried or has a timeout."""
    learning = TASTES.by_path["learning"]._replace(**known)
    states = tuple(learning if state.name == "learning" else state for state in TASTES.states)
    return replace(TASTES, states=states)


#: Someone asks for a trip, somebody approves; the traveller's words go everywhere that words can go.
TRIP: Final = Workflow(
    name="trip",
    version=1,
    initial="idle",
    data={
        "wish": {"type": ["string", "null"]},
        "notes": {"type": "array", "items": {"type": "object"}, "default": []},
        "status": {"type": "string", "default": "new"},
        "persons": {"type": "integer", "default": 1},
        "contacts": {"type": "object", "default": {}},
    },
    user={"home": {"type": ["string", "null"]}},
    events={
        "asked_for": {"wish": {"type": "string"}, "persons": {"type": "integer"}},
        "noted": {"text": {"type": "string"}},
        "planned": {},
        "approved": {"why": {"type": "string"}},
        "more": {},
    },
    progress=ProgressRule(goal="data.wish", done="size(data.notes)", remaining="1", current="data.status"),
    on={"noted": (Transition(None, append={"notes": "{'text': event.text}"}),)},
    states=(
        State("idle", on={"asked_for": (to("planning", wish="event.wish", persons="event.persons"),)}),
        State("planning", do="plan", on={"planned": (to("approving", status="'planned'"),), "error": (to("failed"),)}),
        State(
            "approving",
            ask=Ask("May it be {{ data.wish }}, {{ data.persons }} of you?", ("approved", "more"), "['ana', 'bob']"),
            after=(Timer(Duration.parse("3d"), (to("reminded"),)),),
            on={"approved": (to("done", status="event.why"),), "more": (to("idle"),)},
        ),
        State("reminded", on={"more": (to("idle"),), "approved": (to("done"),)}),
        State("done", final=True, output={"wish": "data.wish", "status": "data.status", "n": "size(data.notes)"}),
        State("failed", final=True, outcome="failed"),
    ),
)


@action
async def plan(ctx: Context) -> str:
    """Says, remembers, spends, does something outside, and writes what it was told under keys of its own."""
    if ctx.data.wish == "trouble":
        raise ValueError(f"nobody can have {ctx.data.wish}")
    await ctx.effect("look up", lambda wish: {"found": wish}, ctx.data.wish)
    ctx.data.contacts[f"friend of {ctx.data.wish}"] = "555-1234"
    said = ctx.outputs.pending(own_thread(ctx.agent_id))
    said.append(Message(Role.USER, f"I want {ctx.data.wish}", by="ana"))
    said.append(Message(Role.ASSISTANT, f"You want {ctx.data.wish}", ({"type": "text", "text": ctx.data.wish},)))
    ctx.outputs.spend(Usage(requests=1, input_tokens=10, output_tokens=2, cost_micros=5))
    if ctx.outputs.user is not None:
        ctx.user.home = f"home of {ctx.data.wish}"
    return "planned"


@action(name="plan")
async def plan_plainly(ctx: Context) -> str:
    """Copies nothing of what it was told."""
    ctx.outputs.spend(Usage(requests=1, input_tokens=1))
    return "planned"


def retrying(attempts: int) -> Retry:
    return Retry(attempts, Duration.parse("1ms"))
