"""The ticket workload: agents serve users, share a thread, have children, and operators maintain them.

Each event has a token of its own. The token is copied to every place where words of a user can go: data, history,
thread, memory of the user, children.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from fsm_agent.actions.action import Emission, action
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.testing.faults.order_workload import ExternalService

WORKFLOW: Final = "ticket"
CHILD_WORKFLOW: Final = "research"
#: The prefix of ids of tickets, and so of their children.
PREFIX: Final = "ticket-"
#: The thread that all tickets append to.
SHARED_THREAD: Final = "shared"
USERS: Final = ("ana", "bob")
#: How many children each research has.
CHILDREN: Final = 3

_TEXT: Final = """
workflow: ticket
version: %(version)d
data:
  messages: {type: array, items: {type: string}, default: []}
  tags: {type: array, items: {type: string}, default: []}
  found: {type: array, default: []}
  now: string?
user:
  likes: {type: array, items: {type: string}, default: []}
merge: {tags: union, user.likes: union}
events:
  message: {token: string}
  tag: {token: string}
  research: {token: string}
  close: {token: string}
  recorded: {token: string}
  joined: {}
workflows:
  research:
    workflow: research
    version: 1
    data: {token: string}
    events: {looked: {}}
    initial: looking
    states:
      looking: {do: look_up, on: {looked: resting, error: resting}}
      resting: {after: {1ms: done}}
      done: {final: true, output: {token: data.token}}
initial: %(home)s
on:
  tag: {assign: {tags: "data.tags + [event.token]"}}
states:
  %(home)s:
    on:
      message: {target: recording, append: {messages: event.token}, assign: {now: event.token}}
      research: {target: researching, append: {messages: event.token}, assign: {now: event.token}}
      close: {target: closed, append: {messages: event.token}}
  recording:
    do: record
    on: {recorded: %(home)s, error: %(home)s}
  researching:
    do: workflow.run
    with:
      workflow: research
      for_each: '[data.now + "/1", data.now + "/2", data.now + "/3"]'
      data: {token: item}
      at_once: 2
      on_failure: continue
      into: found
    on: {joined: %(home)s, error: %(home)s}
  closed: {final: true, output: {messages: size(data.messages)}}
"""
_MIGRATIONS: Final = "migrations: [{from: 1, states: {open: active}}]\n"


def is_ticket(agent_id: str) -> bool:
    """Whether an agent is a ticket, or a child of one."""
    return agent_id.startswith(PREFIX)


@cache
def ticket_workflow(version: int) -> Workflow:
    """Version 1, or version 2, in which one state has another name."""
    home = "open" if version == 1 else "active"
    return loads(_TEXT % {"version": version, "home": home} + (_MIGRATIONS if version == 2 else ""))


def actions_in(service: ExternalService) -> list[Callable[..., Any]]:
    """The actions of tickets and of their children."""

    @action(emits=["recorded"])
    async def record(ctx: Context) -> Emission:
        """Append the token to the shared thread, to the own thread and to the user's memory, all in one step."""
        with service.recorded_action(ctx, "record"):
            token = ctx.data.now
            await service.work(0.005)
            ctx.thread(SHARED_THREAD).append("user", token, by=scope_of(ctx).head.user)
            ctx.conversation.append("user", token)
            ctx.user.likes.append(token)
            return ctx.emit("recorded", token=token)

    @action(emits=["looked"])
    async def look_up(ctx: Context) -> str:
        with service.recorded_action(ctx, "look_up"):
            await service.work(0.003)
            return "looked"

    return [record, look_up]
