"""What every step makes is made of its fields at once; it has as many of them as if it were made by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fsm_agent import Context, Runner, action, open_store
from fsm_agent.actions.registry import Actions
from fsm_agent.data.draft import DictDraft, collect
from fsm_agent.domain.agent import RUNNING, Head, Status
from fsm_agent.engine.commands import Command
from fsm_agent.runtime.action_executor import ActionExecutor
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.stores import codec
from tests.support.runtime import flow, on_loop

COUNTING = flow("""
    data: {n: {type: integer, default: 0}}
    events: {more: {}, enough: {}}
    initial: counting
    states:
      counting: {do: count, on: {more: {target: counting, when: data.n < 5}, enough: end}}
      end: {final: true}
""")


@action(emits=["more", "enough"])
async def count(ctx: Context) -> str:
    ctx.data.n += 1
    return "more" if ctx.data.n < 5 else "enough"


def tuples_in(value: Any) -> Iterator[Any]:
    """Every named tuple in a value."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            yield value
        for part in value:
            yield from tuples_in(part)


class Watching(CommandLoop):
    """Keeps what the engine asked for, and what it was told."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: list[Any] = []

    async def perform(self, effect: Command) -> Any:
        reply = await super().perform(effect)
        self.seen += [effect, reply]
        return reply


@on_loop
async def test_all_that_steps_are_made_of_has_all_of_its_fields() -> None:
    store, actions = open_store("memory://"), Actions([count])
    async with Runner(store, actions=[count]) as runner:
        runner._loop = loop = Watching(store, actions, ActionExecutor(store, actions))
        agent = await runner.start(COUNTING)
    assert agent.state == "end"
    found = {type(each) for seen in loop.seen for each in tuples_in(seen)}
    assert {"Act", "Commit", "Committed", "Emitted", "Head", "Step", "Delta"} <= {kind.__name__ for kind in found}
    for seen in loop.seen:
        for each in tuples_in(seen):
            assert each == type(each)(*each)
            assert len(each) == len(each._fields)
    for step in await store.history(agent.id):
        row = codec.step_row(step)
        assert len(row) == len(row._fields)
        assert codec.step_of(row) == step


def test_a_head_after_an_entry_is_what_replacing_its_fields_gives() -> None:
    head = Head("a", "w", 1, "h", "s", Status.WAITING, 7, 1, 2, {"s": 1}, unfolded=3, fold_at=9, attempts=2, retry_ms=5)
    head = head._replace(is_exempt=True, rewound=4, user="ana", epoch=3, queued=1)
    now: dict[str, Any] = {"visits": {"s": 2}, "timers": (), "asked": None, "output": {"x": 1}, "problem": None}
    entered = head.entered("t", RUNNING, at_ms=8, unfolded=30, **now)
    work = {"activation": 8, "attempts": 0, "retry_ms": None, "is_exempt": False}
    moved = {"state": "t", "status": RUNNING, "version": 8, "updated_ms": 8, "unfolded": 30}
    assert entered == head._replace(**moved, **work, **now)
    assert head.entered("t", Status.WAITING, at_ms=8, unfolded=30, **now).activation == 0


@pytest.mark.parametrize("name", ["n", "a/b", "~"])
def test_a_field_that_was_set_is_told_by_its_pointer(name: str) -> None:
    draft = DictDraft({name: 1})
    draft[name] = 2
    delta = collect(draft)
    assert delta.set == {name.replace("~", "~0").replace("/", "~1"): 2}
    assert (delta.remove, dict(delta.append)) == ((), {})
