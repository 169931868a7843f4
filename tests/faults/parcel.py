"""A workflow with everything that a crash could spoil, and the stages of its agent, which may be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from fsm_agent import Context, Runner, action
from fsm_agent.dialect import read_document
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.scripted.clock import FakeClock

ID = "parcel"

DOCUMENT: dict[str, Any] = {
    "workflow": "parcel",
    "version": 1,
    "data": {
        "goods": "string?",
        "label": "string?",
        "reminders": {"type": "integer", "default": 0},
        "paid": {"type": "integer", "default": 0},
        "notes": {"type": "array", "items": {"type": "string"}, "default": []},
    },
    "events": {"order": {"goods": "string"}, "packed": {}, "note": {"text": "string"}, "agree": {}, "paid": {}},
    "initial": "idle",
    "states": {
        "idle": {"on": {"order": {"target": "work", "assign": {"goods": "event.goods"}}}},
        "work": {
            "initial": "packing",
            "after": {"30d": "lost"},
            "on": {"note": {"append": {"notes": "event.text"}}, "error": "lost"},
            "states": {
                "packing": {
                    "do": "pack",
                    "retry": {"attempts": 3, "backoff": "1s", "on": ["OSError"]},
                    "on": {"packed": "asking"},
                },
                "asking": {
                    "ask": {"prompt": "Send {{ data.label }}?", "events": ["agree"]},
                    "after": {"1h": {"assign": {"reminders": "data.reminders + 1"}}, "3d": "lost"},
                    "on": {"agree": "paying"},
                },
                "paying": {
                    "do": "pay",
                    "on": {"paid": [{"when": "data.paid < 2", "target": "paying"}, {"target": "done"}]},
                },
            },
        },
        "done": {"final": True, "output": {"label": "data.label", "paid": "data.paid"}},
        "lost": {"final": True, "outcome": "failed"},
    },
    "limits": {"visits": {"work.paying": 1}},
}


@cache
def workflow() -> Workflow:
    read, findings = read_document(DOCUMENT)
    assert read is not None, findings
    return read


def actions(other: Runner) -> list[Callable[..., Any]]:
    """Packing fails twice, and ``other`` sends a note meanwhile; paying takes two entries, one beyond the limit."""

    @action
    async def pack(ctx: Context) -> str:
        if ctx.attempt < 3:
            raise OSError("no box fits")
        await other.send(ctx.agent_id, "note", {"text": "while packing"}, key="note-1")
        ctx.data.label = f"{ctx.data.goods} in a box"
        return "packed"

    @action
    async def pay(ctx: Context) -> str:
        ctx.data.paid += 1
        return "paid"

    return [pack, pay]


Stage = Callable[[Runner, FakeClock], Awaitable[Agent]]


async def _order(runner: Runner, clock: FakeClock) -> Agent:
    return await runner.start(workflow(), "order", {"goods": "a vase"}, id=ID, key="order-1")


async def _leave_a_note(runner: Runner, clock: FakeClock) -> Agent:
    return await runner.send(ID, "note", {"text": "handle with care"}, key="note-2")


async def _let_an_hour_pass(runner: Runner, clock: FakeClock) -> Agent:
    hour = (await runner.store.head(ID)).timers
    clock.ms = max([clock.ms, *(timer.due_ms for timer in hour if timer.label == "1h")])
    return await runner.resume(ID)


async def _agree(runner: Runner, clock: FakeClock) -> Agent:
    return await runner.answer(ID, {}, by="ana", key="agree-1")


async def _unpark(runner: Runner, clock: FakeClock) -> Agent:
    agent = await runner.get(ID)
    return await runner.unpark(ID, by="ann") if agent.status is Status.PARKED else agent


#: Each may be repeated after a crash, by its key or by what it sees, and leaves the agent where it need not be driven.
STAGES: tuple[Stage, ...] = (_order, _leave_a_note, _let_an_hour_pass, _agree, _unpark)

#: Every keyed call again: event, payload, key.
KEYED = (
    ("note", {"text": "while packing"}, "note-1"),
    ("note", {"text": "handle with care"}, "note-2"),
    ("agree", {}, "agree-1"),
)
