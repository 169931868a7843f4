"""The second workload: agents that serve people, share a thread, have children, and are moved to a newer definition.

Operators do to them what is done to agents that nobody drives: ``upkeep``. Each event bears a token of its own, which
goes wherever what is said may go: data, history, thread, memory of the user, children.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from fsm_agent.actions.action import Emission, action
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.testing.faults.errand import World

NAME: Final = "visit"
CHILD: Final = "inquiry"
#: of the ids of visits, and of their children with them
PREFIX: Final = "visit-"
#: the thread that all of them speak in
ROOM: Final = "lobby"
USERS: Final = ("ana", "bob")
#: how many children each of its inquiries has
CHILDREN: Final = 3

_TEXT: Final = """
workflow: visit
version: %(version)d
data:
  told: {type: array, items: {type: string}, default: []}
  tags: {type: array, items: {type: string}, default: []}
  found: {type: array, default: []}
  now: string?
user:
  likes: {type: array, items: {type: string}, default: []}
merge: {tags: union, user.likes: union}
events:
  tell: {token: string}
  tag: {token: string}
  inquire: {token: string}
  leave: {token: string}
  heard: {token: string}
  joined: {}
workflows:
  inquiry:
    workflow: inquiry
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
      tell: {target: hearing, append: {told: event.token}, assign: {now: event.token}}
      inquire: {target: inquiring, append: {told: event.token}, assign: {now: event.token}}
      leave: {target: gone, append: {told: event.token}}
  hearing:
    do: hear
    on: {heard: %(home)s, error: %(home)s}
  inquiring:
    do: workflow.run
    with:
      workflow: inquiry
      for_each: '[data.now + "/1", data.now + "/2", data.now + "/3"]'
      data: {token: item}
      at_once: 2
      on_failure: continue
      into: found
    on: {joined: %(home)s, error: %(home)s}
  gone: {final: true, output: {told: size(data.told)}}
"""
_MIGRATIONS: Final = "migrations: [{from: 1, states: {hall: parlour}}]\n"


def is_visit(agent_id: str) -> bool:
    """Whether it is one of these agents, or a child of one."""
    return agent_id.startswith(PREFIX)


@cache
def visit(version: int) -> Workflow:
    """Version 1, or 2, which calls a state by another name."""
    home = "hall" if version == 1 else "parlour"
    return loads(_TEXT % {"version": version, "home": home} + (_MIGRATIONS if version == 2 else ""))


def actions_in(world: World) -> list[Callable[..., Any]]:
    """The actions of the workflow and of its children."""

    @action(emits=["heard"])
    async def hear(ctx: Context) -> Emission:
        """Say it in the room and to oneself, and remember it of the user, all in one step."""
        with world.noting(ctx, "hear"):
            token = ctx.data.now
            await world.work(0.005)
            ctx.thread(ROOM).append("user", token, by=scope_of(ctx).head.user)
            ctx.conversation.append("user", token)
            ctx.user.likes.append(token)
            return ctx.emit("heard", token=token)

    @action(emits=["looked"])
    async def look_up(ctx: Context) -> str:
        with world.noting(ctx, "look_up"):
            await world.work(0.003)
            return "looked"

    return [hear, look_up]
