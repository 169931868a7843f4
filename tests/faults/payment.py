"""A workflow whose actions execute effects of each mode, and the service on which they act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from fsm_agent import NOT_DONE, BlockingContext, Context, Runner, action
from fsm_agent.dialect import read_document
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.effects import Do

from .crash_points import CrashPoints

ID = "payment"

DOCUMENT: dict[str, Any] = {
    "workflow": "payment",
    "version": 1,
    "data": {"receipts": {"type": "array", "items": {"type": "object"}, "default": []}},
    "events": {"paid": {}, "sent": {}},
    "initial": "paying",
    "states": {
        "paying": {
            "do": "pay",
            "retry": {"attempts": 2, "backoff": "1ms", "on": ["OSError"]},
            "on": {"paid": "sending"},
        },
        "sending": {"do": "send", "on": {"sent": "done"}},
        "done": {"final": True},
    },
}


@cache
def workflow() -> Workflow:
    read, findings = read_document(DOCUMENT)
    assert read is not None, findings
    return read


class PaymentService:
    """Counts executions by their key; there are crash points before and after each of them. A probe returns the same
    receipt as the execution."""

    def __init__(self, crash_points: CrashPoints) -> None:
        self._crash_points = crash_points
        self.done: Counter[tuple[str, str]] = Counter()

    def do(self, what: str, *, idempotency_key: str) -> dict[str, Any]:
        self._crash_points.reach(Do(idempotency_key))
        self.done[what, idempotency_key] += 1
        self._crash_points.reach(Do(idempotency_key))
        return {"what": what, "key": idempotency_key}

    async def do_soon(self, what: str, *, idempotency_key: str) -> dict[str, Any]:
        return self.do(what, idempotency_key=idempotency_key)

    def look(self, what: str, *, idempotency_key: str) -> Any:
        is_done = self.done[what, idempotency_key] > 0
        return {"what": what, "key": idempotency_key} if is_done else NOT_DONE

    def times(self, what: str) -> list[int]:
        """How often ``what`` was executed, for each of its keys."""
        return [times for (name, _), times in self.done.items() if name == what and times]


def actions(service: PaymentService) -> list[Callable[..., Any]]:
    """The first action fails once after all its effects; the second one runs in a thread."""

    @action
    async def pay(ctx: Context) -> str:
        first = await ctx.effect("charge", service.do, "charge")
        second = await ctx.effect("charge", service.do_soon, "charge again")
        checked = await ctx.effect("ship", service.do, "ship", mode="check", probe=service.look)
        once = await ctx.effect("mail", service.do_soon, "mail", mode="at_most_once")
        if ctx.attempt == 1:
            raise OSError("when all is done")
        ctx.data.receipts += [first, second, checked, once]
        return "paid"

    @action
    def send(ctx: BlockingContext) -> str:
        first = ctx.effect("charge", service.do, "tip")
        checked = ctx.effect("ship", service.do, "ship more", mode="check", probe=service.look)
        once = ctx.effect("mail", service.do, "mail more", mode="at_most_once")
        ctx.data.receipts += [first, checked, once]
        return "sent"

    return [pay, send]


async def run_payment(runner: Runner, service: PaymentService) -> Agent:
    """Start the payment or go on with it, and settle effects in doubt; may be repeated at any time."""
    await runner.start(workflow(), id=ID, key="go")
    agent = await runner.resume(ID)
    while agent.status is Status.PARKED:
        [doubtful] = [entry for entry in await runner.effects(ID) if entry.is_open]
        [what] = [name for name, key in service.done if key == doubtful.key] or ["nothing"]
        if service.done[what, doubtful.key]:
            result = {"what": what, "key": doubtful.key}
            agent = await runner.unpark(ID, effect=doubtful.key, result=result, by="ann")
        else:
            agent = await runner.unpark(ID, effect=doubtful.key, not_done=True, by="ann")
    return agent
