"""State = fold(history), for thousands of steps, in bytes that are linear in what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.data.delta import fold
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores import codec
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import flow, on_loop

LOOP = flow("""
    data:
      log: {type: array, items: {type: object}, default: []}
      trip: {type: object, default: {legs: []}}
      n: {type: integer, default: 0}
      left: integer
    events: {more: {}, enough: {}}
    initial: working
    states:
      working:
        do: work
        on:
          more: {target: working, assign: {n: data.n + 1}, append: {log: "{'n': data.n}"}}
          enough: done
      done: {final: true}
""")


class Weighing(MemoryStore):
    """Counts the bytes of snapshots that are written."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshots: list[int] = []

    async def commit(self, commit: Commit) -> Committed:
        if commit.snapshot is not None:
            self.snapshots.append(sum(len(text) for text in codec.snapshot_row(commit.snapshot)[1:]))
        return await super().commit(commit)


def working(changes: Any) -> Any:
    @action(name="work", inline=True)
    def work(ctx: Context) -> str:
        ctx.data.left -= 1
        changes(ctx.data, ctx.data.left)
        return "more" if ctx.data.left > 0 else "enough"

    return work


def append_to_both(data: Any, n: int) -> None:
    data.log.append({"text": "x" * 50})
    data.trip["legs"].append(n)


def change_everything_now_and_then(data: Any, n: int) -> None:
    match n % 7:
        case 0 if data.log:
            data.log[n % len(data.log)]["seen"] = n
        case 1:
            data.trip.setdefault("tags", {})[str(n % 50)] = [n]
        case 2 if len(data.trip["legs"]) > 3:
            data.trip["legs"].pop(0)
        case 3 if n % 91 == 3:
            data.log = data.log[-3:]
        case _:
            data.trip["legs"].append({"n": n})


@pytest.mark.long
@pytest.mark.parametrize("changes", [append_to_both, change_everything_now_and_then])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_the_data_is_the_fold_of_thousands_of_steps(changes: Any, kind: str, tmp_path: Path) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    async with Runner(open_store(url), actions=[working(changes)]) as runner:
        agent = await runner.start(LOOP, data={"left": 2_000})
        steps = await runner.history(agent.id)
        assert [step.version for step in steps] == list(range(1, 2_002))
        assert all(step.kind is StepKind.EVENT for step in steps[1:])
        assert fold(None, steps).values == agent.data
        assert (await runner.get(agent.id)).data == agent.data
        record = await runner.store.load(agent.id)
        assert (record.snapshot is not None, record.head.state) == (True, "done")


@on_loop
async def test_bytes_written_are_linear_in_what_changed() -> None:
    sizes = []
    for steps in (500, 1_000):
        store = Weighing()
        async with Runner(store, actions=[working(lambda data, n: data.log.append({"text": "x" * 100}))]) as runner:
            await runner.start(LOOP, data={"left": steps})
        sizes.append(sum(store.snapshots))
        assert max(store.snapshots) < 200, "a list that is only appended to is in no snapshot"
    assert sizes[1] <= 2.2 * sizes[0]


@example_settings(25)
@given(some.lists(some.sampled_from([append_to_both, change_everything_now_and_then]), min_size=1, max_size=120))
def test_any_mixture_of_changes_is_read_back_as_it_was(plan: list[Any]) -> None:
    @on_loop
    async def run() -> None:
        store = Weighing()
        async with Runner(store, actions=[working(lambda data, n: plan[n % len(plan)](data, n))]) as runner:
            agent = await runner.start(LOOP, data={"left": len(plan)})
            assert (await runner.get(agent.id)).data == agent.data

    run()
