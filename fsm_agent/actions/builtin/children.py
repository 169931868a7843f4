"""``workflow.run``: child agents do the work; one, or one for each item of a list, so many at once.

What is done is remembered by the children themselves: whichever process goes on with the parent finds them by their
ids, starts those that are missing, drives those that can be driven, and joins them when all have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from fsm_agent.actions.action import Emission, Pause
from fsm_agent.actions.builtin.ending import ended, put
from fsm_agent.actions.builtin.recalled import recalled
from fsm_agent.actions.context import Context, insight_of
from fsm_agent.actions.kinship import CHILDREN, Order
from fsm_agent.agent import ENDED, Head, Status
from fsm_agent.delta import own
from fsm_agent.dialect.builtins import first_event
from fsm_agent.errors import ActionError, ChildFailed
from fsm_agent.jsontypes import Json
from fsm_agent.wording import shortened
from fsm_agent.workflow import Workflow

#: How long a parent sleeps at most that waits for children: they wake it when they end, but for a crash in between.
_LOOK_AGAIN_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the children are started with, each argument as it is written."""

    workflow: Workflow
    event: str
    payload: Mapping[str, Json]
    data: Mapping[str, Json]
    user: str | None

    def mentions(self, ctx: Context) -> set[str]:
        insight = insight_of(ctx)
        written = [*self.payload.values(), *self.data.values(), self.user]
        return {name for value in written for name in insight.mentions(value)}


async def run(
    ctx: Context,
    *,
    workflow: str,
    event: str | None = None,
    payload: Mapping[str, Json] | None = None,
    data: Mapping[str, Json] | None = None,
    for_each: str | None = None,
    at_once: int = 10,
    on_failure: str = "fail",
    into: str | None = None,
    user: str | None = None,
    emit: str | None = None,
) -> Emission | Pause:
    """The outputs of the children, in the order of the items, go ``into`` the data; of one that has failed it is null
    (``on_failure: continue``). Raises ``ChildFailed`` otherwise, when the rest has ended (``fail``) or was cancelled
    (``cancel_rest``)."""
    child = insight_of(ctx).workflow.workflows[workflow]
    plan = Plan(child, event or _first_event(child), payload or {}, data or {}, user)
    items = await _items(ctx, for_each)
    heads = await _Brood(ctx, plan, items, cancels_rest=on_failure == "cancel_rest").raised(at_once)
    if any(head.status not in ENDED for head in heads):
        return _pause(ctx, heads)
    ctx.notes.is_joined = True
    failed = [head for head in heads if head.status is not Status.DONE]
    if failed and on_failure != "continue":
        raise ChildFailed(*_why(failed))
    outputs = [head.output if head.status is Status.DONE else None for head in heads]
    put(ctx, into, outputs if for_each is not None else outputs[0])
    return ended(ctx, emit)


async def _items(ctx: Context, for_each: str | None) -> list[Json]:
    """For what a child is started, once for all attempts."""
    items: Json = [None]
    if for_each is not None:
        insight = insight_of(ctx)
        items = insight.value(for_each, await recalled(ctx, insight.mentions(for_each)))
        if not isinstance(items, list):
            raise ActionError(f"`for_each: {for_each}` gives {shortened(items)}, and must give a list")
    kept: list[Json] = await ctx.effect(CHILDREN, partial(own, items))
    return kept


def _first_event(child: Workflow) -> str:
    """What a child begins with that is told nothing."""
    event = first_event(child)
    if event is None:
        raise ActionError(f"workflow {child.name!r} can begin in several ways: say which with `event`")
    return event


class _Brood:
    """All children of one activation."""

    def __init__(self, ctx: Context, plan: Plan, items: Sequence[Json], *, cancels_rest: bool) -> None:
        self._ctx, self._plan, self._items = ctx, plan, items
        self._cancels_rest = cancels_rest
        self._head = insight_of(ctx).head
        self._has_failed = False

    async def raised(self, at_once: int) -> list[Head]:
        """All of them, each driven as far as it goes."""
        if self._items:
            self._ctx.notes.has_children = True
            await self._ctx.kin.begin(self._head)
        free = asyncio.Semaphore(at_once)
        try:
            async with asyncio.TaskGroup() as group:
                numbered = enumerate(self._items, start=1)
                tasks = [group.create_task(self._one(number, item, free)) for number, item in numbered]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        heads = [task.result() for task in tasks]
        if not self._has_failed:
            return [head for head in heads if head is not None]
        return await self._ctx.kin.cancel(self._head, len(self._items))

    async def _one(self, number: int, item: Json, free: asyncio.Semaphore) -> Head | None:
        async with free:
            if self._has_failed:
                return None
            head = await self._ctx.kin.start(self._head, number, await self._order(number, item))
            head = await self._ctx.kin.drive(head)
            if self._cancels_rest and head.status in ENDED and head.status is not Status.DONE:
                self._has_failed = True
            return head

    async def _order(self, number: int, item: Json) -> Order:
        ctx, plan = self._ctx, self._plan
        scope = await recalled(ctx, plan.mentions(ctx), item=item, index=number - 1)
        value = partial(insight_of(ctx).value, recalled=scope)
        user = insight_of(ctx).head.user if plan.user is None else value(plan.user)
        return Order(
            plan.workflow,
            plan.event,
            {name: value(each) for name, each in plan.payload.items()},
            {name: value(each) for name, each in plan.data.items()},
            user,
        )


def _pause(ctx: Context, heads: Sequence[Head]) -> Pause:
    """Until a child has something to do that nobody else does, or until one ends."""
    unended = [head for head in heads if head.status not in ENDED]
    mine = [head for head in unended if head.status is Status.RUNNING and head.lease is None]
    due_ms = [head.own_wake_ms or 0 for head in mine]
    until_ms = min(max(min(due_ms, default=0), ctx.now_ms), ctx.now_ms + _LOOK_AGAIN_MS)
    return Pause(until_ms) if mine else Pause(ctx.now_ms + _LOOK_AGAIN_MS, is_idle=True)


def _why(failed: Sequence[Head]) -> tuple[str, str, str, int]:
    """The first that has failed, how and why, and how many have."""
    first = failed[0]
    why = f": {first.problem.type}: {first.problem.message}" if first.problem else ""
    return first.id, str(first.status), why, len(failed)
