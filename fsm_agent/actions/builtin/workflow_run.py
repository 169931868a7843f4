"""``workflow.run``: child agents do the work: one child, or one for each item of a list with a limit of how many at
once.

The children themselves are the record of what is done. Any process that continues the parent finds them by their ids,
starts those that are missing, drives those that can go on, and ends when all have ended. A child that waits for people
or time, or is parked, does not count as one at work: the next one is started.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from fsm_agent.actions.action import Emission, Pause
from fsm_agent.actions.builtin.outcomes import (
    Known,
    count_of_failures,
    failure_of,
    has_failed,
    is_over,
    outcome_of,
    output_of,
)
from fsm_agent.actions.builtin.result import ended, put
from fsm_agent.actions.builtin.templates import recalled
from fsm_agent.actions.children import ChildSpec
from fsm_agent.actions.context import Context, scope_of
from fsm_agent.data.delta import own
from fsm_agent.dialect.builtins import first_event
from fsm_agent.domain.agent import CHILDREN, ENDED, Head, child_id
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.commands import Superseded
from fsm_agent.errors import ActionError, ChildFailed, Refused, StoreError

#: How long a parent rests if a child will wake it, or if it has more children to start. In the second case other
#: processes work on its children, and nobody tells it when they stop.
_REST_MS: Final = 3_600_000
_REST_WITH_MORE_MS: Final = 10_000
#: how often the parent looks again at children that have moved, before it rests
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class ChildrenPlan:
    """The arguments that children are started with, as written in the workflow."""

    workflow: Workflow
    event: str
    payload: Mapping[str, Json]
    data: Mapping[str, Json]
    user: str | None

    async def spec(self, ctx: Context, item: Json, index: int) -> ChildSpec:
        """The specification of one child. Raises ``ExpressionFailed``."""
        scope = scope_of(ctx)
        written = [*self.payload.values(), *self.data.values(), self.user]
        mentioned = {name for value in written for name in scope.mentions(value)}
        mentioned_values = await recalled(ctx, mentioned, item=item, index=index)
        value: Callable[[Json], Json] = partial(scope.value, recalled=mentioned_values)
        user = scope.head.user if self.user is None else value(self.user)
        if not (user is None or (isinstance(user, str) and user.strip())):
            raise ActionError(f"`user: {self.user}` gives {shortened(user)}, and must give a name, or null for nobody")
        payload = {name: value(each) for name, each in self.payload.items()}
        return ChildSpec(
            self.workflow, self.event, payload, {name: value(each) for name, each in self.data.items()}, user
        )


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
    outcomes: str | None = None,
    user: str | None = None,
    emit: str | None = None,
) -> Emission | Pause:
    """Put the outputs of the children ``into`` the data, in the order of the items; the output of a failed child is
    null (``on_failure: continue``). The outcomes go into ``outcomes``. Otherwise a failure raises ``ChildFailed``,
    after the other children have ended (``fail``) or were cancelled (``cancel_rest``)."""
    child = scope_of(ctx).workflow.workflows[workflow]
    plan = ChildrenPlan(child, event or _first_event(child), payload or {}, data or {}, user)
    items = await _items(ctx, for_each)
    children = _Children(ctx, plan, items, at_once=at_once, cancels_rest=on_failure == "cancel_rest")
    try:
        await children.raise_()
    except StoreError as error:
        if ctx.effects is not None:
            ctx.effects.fail(error)
        raise
    if not children.is_grown:
        return Pause(ctx.now_ms + (_REST_WITH_MORE_MS if children.has_more else _REST_MS))
    ctx.outputs.is_joined = True
    ctx.outputs.spend(children.usage)
    if children.has_failed:
        if on_failure != "continue":
            raise children.failure()
        ctx.outputs.remark = children.failures
    is_one = for_each is None
    put(ctx, into, children.outputs[0] if is_one else children.outputs)
    put(ctx, outcomes, children.outcomes[0] if is_one else children.outcomes)
    return ended(ctx, emit)


async def _items(ctx: Context, for_each: str | None) -> list[Json]:
    """The items for which children are started. They are the same in all attempts."""
    items: Json = [None]
    if for_each is not None:
        scope = scope_of(ctx)
        items = scope.value(for_each, await recalled(ctx, scope.mentions(for_each)))
        if not isinstance(items, list):
            raise ActionError(f"`for_each: {for_each}` gives {shortened(items)}, and must give a list")

    async def kept() -> Json:
        return own(items)

    return await ctx.effect(CHILDREN, kept)  # type: ignore[no-any-return]


def _first_event(child: Workflow) -> str:
    """The first event of a child where the workflow names none."""
    event = first_event(child)
    if event is None:
        raise ActionError(f"workflow {child.name!r} can begin in several ways: say which with `event`")
    return event


class _Children:
    """All children of one activation, by number; the first is 1."""

    def __init__(
        self, ctx: Context, plan: ChildrenPlan, items: Sequence[Json], *, at_once: int, cancels_rest: bool
    ) -> None:
        self._ctx, self._plan, self._items = ctx, plan, items
        self._at_once, self._cancels_rest = at_once, cancels_rest
        self._head, self._stays = scope_of(ctx).head, scope_of(ctx).stays
        self._known: dict[int, Known] = {}
        #: children that have work to do, here or in another process
        self._working: set[int] = set()
        #: children that this process should drive, and children that are not started
        self._due: deque[int] = deque()
        self._fresh: deque[int] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def has_failed(self) -> bool:
        return any(map(has_failed, self._known.values()))

    @property
    def has_more(self) -> bool:
        """Whether some children are not started yet."""
        return bool(self._fresh) and not self._is_called_off

    @property
    def is_grown(self) -> bool:
        """Whether all children are done, so that the parent need not wait."""
        return not self.has_more and all(map(is_over, self._known.values()))

    @property
    def outputs(self) -> list[Json]:
        """The outputs of all children, in their order; null for those that have failed."""
        return [output_of(known) for known in self._by_id.values()]

    @property
    def outcomes(self) -> list[Json]:
        """The outcomes of all children, in their order."""
        children = zip(self._by_id.items(), self._items, strict=True)
        return [outcome_of(ident, item, known) for (ident, known), item in children]

    @property
    def _by_id(self) -> dict[str, Known]:
        """The known state of each child, by its id, in their order."""
        numbered = sorted(self._known.items())
        return {child_id(self._head.id, self._head.activation, number): known for number, known in numbered}

    @property
    def usage(self) -> Usage:
        """The usage of models by all children. Their context sizes are left out: they say nothing about the parent."""
        total = NO_USAGE
        for known in self._known.values():
            total = total.plus(known.usage) if isinstance(known, Head) else total
        return total._replace(context_tokens=0, estimated_tokens=0)

    @property
    def _is_called_off(self) -> bool:
        return self._cancels_rest and self.has_failed

    async def raise_(self) -> None:
        """Start and drive the children, each as far as it can go."""
        await self._look(with_held=True)
        for _ in range(_ROUNDS):
            await self._work_all()
            if self._is_called_off:
                await self._cancel_rest()
            await self._look(anew=(is_sure := self.is_grown))
            if self.is_grown and not is_sure:
                await self._look(anew=True)
            if not self._can_go_on:
                return

    @property
    def _can_go_on(self) -> bool:
        has_place = self.has_more and len(self._working) < self._at_once
        return has_place or (bool(self._due) and not self._is_called_off)

    async def _look(self, *, with_held: bool = False, anew: bool = False) -> None:
        """Read the state of the children. A child that could not be started stays so. With ``with_held``, children that
        another process holds are due too, since that process may have died. With ``anew``, ended children are read
        again."""
        heads = await self._ctx.children.read(self._head, len(self._items), gap=None if anew else self._at_once)
        self._known |= {number: head for number, head in enumerate(heads, start=1) if head is not None}
        found = {number: head for number, head in self._known.items() if isinstance(head, Head)}
        self._working = {number for number, head in found.items() if head.is_at_work}
        due = (number for number, head in found.items() if _is_due(head, self._ctx.now_ms))
        self._due = deque(number for number in due if with_held or found[number].lease is None)
        self._fresh = deque(number for number in range(1, len(self._items) + 1) if number not in self._known)

    async def _work_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                places = range(min(self._at_once, len(self._due) + len(self._fresh)))
                self._tasks = [group.create_task(self._work()) for _ in places]
        except BaseExceptionGroup as errors:
            raise _gravest(errors) from None

    async def _work(self) -> None:
        """Drive one child after the other, while fewer than the limit are at work."""
        while (number := self._next()) is not None:
            known = self._known[number] = await self._driven(number)
            if not (isinstance(known, Head) and known.is_at_work):
                self._working.discard(number)
            if self._is_called_off:
                self._stop_others()

    def _next(self) -> int | None:
        if self._is_called_off:
            return None
        if self._due:
            return self._due.popleft()
        if not self._fresh or len(self._working) >= self._at_once:
            return None
        number = self._fresh.popleft()
        self._working.add(number)
        return number

    async def _driven(self, number: int) -> Known:
        children, known = self._ctx.children, self._known.get(number)
        try:
            if isinstance(known, Head):
                return await children.drive(known, stays=self._stays)
            spec = await self._plan.spec(self._ctx, self._items[number - 1], number - 1)
            return await children.start(self._head, number, spec, stays=self._stays)
        except Refused as refusal:
            return refusal

    def _stop_others(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _cancel_rest(self) -> None:
        for head in await self._ctx.children.read(self._head, len(self._items)):
            if head is not None and head.status not in ENDED:
                await self._ctx.children.cancel(head)

    @property
    def failures(self) -> str:
        """How many children failed, in words."""
        return count_of_failures(self._known.values())

    def failure(self) -> ChildFailed:
        return failure_of(self._by_id)


def _gravest(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to raise: ``Superseded``, which says that another process drives the parent, before all others."""
    return next((each for each in errors.exceptions if isinstance(each, Superseded)), errors.exceptions[0])


def _is_due(head: Head, now_ms: int) -> bool:
    """Whether a child has something to do now."""
    return head.status not in ENDED and head.wake_ms is not None and head.wake_ms <= now_ms
