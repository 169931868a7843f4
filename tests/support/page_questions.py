"""Questions for tests of the inbox: agents that ask what a test says, with three ways to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from playwright.sync_api import BrowserContext

from tests.support.servers.in_thread import Served

REQUEST: Final = """
workflow: request
version: 1
description: Asks one question.
data:
  text: {type: string}
  who: {type: array, items: {type: string}, default: []}
  said: {type: object, default: {}}
events:
  approve: {}
  reject: {reason: {type: string, minLength: 3}, weight: {type: integer, minimum: 1, maximum: 9, default: 2}}
  report:
    hours: {type: number, maximum: 24}
    parts:
      type: array
      items:
        type: object
        properties: {name: {type: string, minLength: 1}, count: {type: integer}}
        required: [name, count]
      default: []
  withdraw: {}
initial: asking
states:
  asking:
    ask: {prompt: "{{ data.text }}", events: [approve, reject, report]}
    after: {3d: lapsed}
    on:
      approve: approved
      reject: {target: rejected, assign: {said: "{'reason': event.reason, 'weight': event.weight}"}}
      report: {target: reported, assign: {said: "{'hours': event.hours, 'parts': event.parts}"}}
      withdraw: withdrawn
  approved: {final: true}
  rejected: {final: true}
  reported: {final: true}
  withdrawn: {final: true, outcome: cancelled}
  lapsed: {final: true, outcome: cancelled}
"""

#: asks those whom it names
REQUEST_OF: Final = REQUEST.replace("workflow: request", "workflow: request_of").replace(
    "events: [", "to: data.who, events: ["
)


def ask(served: Served, agent_id: str, text: str = "May it be done?", *who: str, **more: Any) -> None:
    """Have an agent ask."""
    service = served.services["default"]
    data, workflow = {"text": text, "who": list(who)}, service.startable("request_of" if who else "request")
    served.run(service.runner.start(workflow, id=agent_id, by="gus", data=data, **more))


def ask_many(served: Served, ids: Sequence[str]) -> None:
    """Have many agents ask, the first of them first."""
    service = served.services["default"]
    workflow = service.startable("request")

    async def start() -> None:
        for agent_id in ids:
            await service.runner.start(workflow, id=agent_id, data={"text": f"What of {agent_id}?"})

    served.run(start())


def ask_at_once(served: Served, ids: Sequence[str]) -> None:
    """Have many agents ask, in any order."""
    service = served.services["default"]
    workflow = service.startable("request")

    async def start() -> None:
        starts = [service.runner.start(workflow, id=each, data={"text": f"What of {each}?"}) for each in ids]
        await asyncio.gather(*starts)

    served.run(start())


def answered(served: Served, agent_id: str, event: str = "approve", payload: Any = None, by: str = "cleo") -> None:
    """Somebody answers, by no page."""
    served.run(served.services["default"].runner.answer(agent_id, payload, event=event, by=by))


def state_of(served: Served, agent_id: str) -> str:
    return served.run(served.services["default"].runner.get(agent_id)).state


def steps_of(served: Served, agent_id: str) -> list[tuple[str | None, str | None]]:
    """What happened, and who did it."""
    steps = served.run(served.services["default"].runner.history(agent_id))
    return [(step.event, step.by) for step in steps]


def sign_in(context: BrowserContext, served: Served, secret: str) -> None:
    context.add_cookies([{"name": "fsm_agent_token", "value": secret, "url": served.url}])
