"""Agents for tests of the pages: one that asks, works and can be brought anywhere, and one with a long history."""

from __future__ import annotations

from typing import Any, Final

from fsm_agent import action
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.servers.in_thread import Served

#: asks, works, waits and ends; what people write stands in its question and in its data
PARCEL: Final = """
workflow: parcel
version: 1
description: Sends a parcel, once somebody says that it may.
data:
  item: string?
  note: string?
  count: {type: integer, default: 0}
  label: "object?"
  log: {type: array, items: {type: string}, default: []}
events:
  wanted: {item: string}
  noted: {text: string}
  approve: {}
  reject: {reason: {type: string, minLength: 1}, weight: {type: integer, minimum: 1, default: 2}}
  sent: {}
  again: {}
initial: idle
on:
  noted: {append: {log: event.text}}
states:
  idle:
    on:
      wanted: {target: asking, assign: {item: event.item}}
  asking:
    ask:
      prompt: "May {{ data.item }} be sent?"
      events: [approve, reject]
    after: {3d: lapsed}
    on:
      approve: {target: sending, when: data.item != "a moon"}
      reject: {target: rejected, assign: {note: event.reason, count: event.weight}}
  sending:
    do: send_parcel
    retry: {attempts: 2, backoff: 1ms}
    on:
      sent: sent
      error: {target: failed, assign: {note: event.message}}
  sent: {final: true, output: {item: data.item}}
  rejected:
    on:
      again: {target: asking, assign: {note: "null"}}
  lapsed: {final: true, outcome: cancelled}
  failed: {final: true, outcome: failed}
"""

#: goes round and round
COUNTER: Final = """
workflow: counter
version: 1
data: {count: {type: integer, default: 0}}
events: {tick: {}, rest: {}, stop: {}}
initial: counting
states:
  counting:
    on:
      tick: {target: counting, assign: {count: data.count + 1}}
      rest: resting
      stop: over
  resting: {on: {tick: {target: counting, assign: {count: data.count + 1}}}}
  over: {final: true}
"""


@action
async def send_parcel(ctx: Any) -> str:
    """What is heavy gets lost on the way, and nobody knows where; what is broken cannot be sent."""
    item = ctx.data.item

    async def stamp(what: str, *, idempotency_key: str) -> dict[str, str]:
        return {"stamp": f"for {what}"}

    async def ship(what: str, *, idempotency_key: str) -> str:
        if "heavy" in what:
            raise ConnectionError("the line is dead")
        return "on its way"

    if "broken" in item:
        raise ValueError("it is broken")
    ctx.data.label = await ctx.effect("stamp", stamp, item)
    await ctx.effect("ship", ship, item, mode="at_most_once")
    return "sent"


def send(served: Served, agent_id: str, event: str, payload: Any = None, *, by: str | None = "fay") -> None:
    """A step that the server itself makes."""
    runner = served.services["default"].runner
    served.run(runner.send(agent_id, event, payload, by=by))


def start(served: Served, agent_id: str, *events: tuple[str, Any], workflow: str = "parcel", **more: Any) -> None:
    """Start an agent, and send it events."""
    service = served.services["default"]
    served.run(service.runner.start(service.startable(workflow), id=agent_id, by="gus", **more))
    for event, payload in events:
        send(served, agent_id, event, payload, by="gus")


def count_up(served: Served, agent_id: str, steps: int) -> None:
    """Bring an agent of the counter on by so many steps, by another runner than that of the server."""

    async def count() -> None:
        async with Runner(open_store(served.store)) as runner:
            for number in range(steps):
                await runner.send(agent_id, "rest" if number % 7 == 6 else "tick", by="gus")

    served.run(count())
