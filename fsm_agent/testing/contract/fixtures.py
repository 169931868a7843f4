"""Where the tests of the contract stand: a loop, a clock, a store, and small words to write with."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import pytest

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry, EffectMode
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.record import Commit, Creation, Record
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store

B = TypeVar("B", bound="Bench")
P = ParamSpec("P")

ORDER: Final = Workflow("order", 1, "open", (State("open"), State("closed", final=True)))
REFUND: Final = Workflow("refund", 1, "open", (State("open"), State("closed", final=True)))
ID: Final = "agent-1"
HERE: Final = Holder("here", 7, NEW_YEAR_MS - 5_000)
LEASE: Final = Lease(HERE, NEW_YEAR_MS + 15_000)
PING: Final = Event("ping", {"n": 1}, by="ana", key="ping-1")


def in_loop(test: Callable[Concatenate[B, P], Coroutine[Any, Any, None]]) -> Callable[Concatenate[B, P], None]:
    """Run an async test in the loop in which its store was opened."""

    def run(self: B, /, *args: P.args, **kwargs: P.kwargs) -> None:
        self.runner.run(test(self, *args, **kwargs))

    return functools.update_wrapper(run, test)


class Bench:
    """The fixtures of all parts. ``url`` is the subclass's."""

    runner: asyncio.Runner

    @pytest.fixture(autouse=True)
    def _loop(self) -> Iterator[None]:
        with asyncio.Runner() as self.runner:
            yield

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def open_again(self, url: str, clock: FakeClock, _loop: None) -> Iterator[Callable[..., Store]]:
        """``open_again(namespace=...)``: one more store at ``url``, as another process would open it."""
        opened: list[Store] = []

        def open_again(namespace: str = "default") -> Store:
            opened.append(open_store(url, namespace=namespace, clock=clock))
            return opened[-1]

        yield open_again
        for store in opened:
            self.runner.run(store.close())

    @pytest.fixture
    def store(self, open_again: Callable[..., Store]) -> Store:
        """An empty store that keeps the definitions of ``ORDER`` and ``REFUND``."""
        store = open_again()
        self.runner.run(keep_definitions(store))
        return store


async def keep_definitions(store: Store) -> None:
    for workflow in (ORDER, REFUND):
        await store.save_workflow(workflow.hash, workflow.to_json())


def a_head(agent_id: str = ID, version: int = 1, *, workflow: Workflow = ORDER, **changes: Any) -> Head:
    """A head that waits; ``changes`` are its fields."""
    head = Head(
        id=agent_id,
        workflow=workflow.name,
        workflow_version=workflow.version,
        definition=workflow.hash,
        state="open",
        status=Status.WAITING,
        version=version,
        created_ms=NEW_YEAR_MS,
        updated_ms=NEW_YEAR_MS + version,
    )
    return head._replace(**changes)


def a_step(version: int = 1, delta: Delta | None = None, **changes: Any) -> Step:
    kind, event, source = (StepKind.CREATED, "created", None) if version == 1 else (StepKind.EVENT, "ping", "open")
    step = Step(version, kind, event, {}, source, "open", NEW_YEAR_MS + version, delta or Delta())
    return step._replace(**changes)


def a_creation(agent_id: str = ID, *, delta: Delta | None = None, lease: Lease | None = None, **head: Any) -> Creation:
    return Creation(a_head(agent_id, **head), (a_step(1, delta),), lease=lease)


def a_commit(
    version: int,
    *,
    delta: Delta | None = None,
    epoch: int | None = 1,
    head: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Commit:
    """The step that leads agent ``ID`` to ``version``."""
    return Commit(a_head(ID, version, **(head or {})), a_step(version, delta), epoch, **rest)


def an_effect(name: str = "charge", use: int = 1, *, activation: int = 1, **changes: Any) -> EffectEntry:
    """An open effect, begun under epoch 1; its key tells it from every other."""
    key = f"{activation}-{name}-{use}"
    entry = EffectEntry(key, activation, name, use, EffectMode.AT_MOST_ONCE, "f", 1, NEW_YEAR_MS)
    return entry._replace(**changes)


async def all_of(store: Store, agent_id: str = ID) -> tuple[Record, Sequence[Step]]:
    """All that a store tells of an agent, to be compared."""
    return await store.load(agent_id), await store.history(agent_id)


def data_of(record: Record) -> dict[str, Json]:
    """The data that a record folds to, by the definition of deltas and snapshots alone."""
    snapshot = record.snapshot
    covered = snapshot.version if snapshot else 0
    values: dict[str, Json] = dict(snapshot.values) if snapshot else {}
    for step in record.tail:
        if step.version > covered:
            _apply(values, step.delta)
        elif snapshot:
            for name, items in step.delta.append.items():
                if step.version > snapshot.appended_since.get(name, covered):
                    values[name] = values[name] + items
    return values


def _apply(values: dict[str, Json], delta: Delta) -> None:
    for pointer, value in delta.set.items():
        place, key = _place(values, pointer)
        place[key] = value
    for pointer in delta.remove:
        place, key = _place(values, pointer)
        del place[key]
    for pointer, items in delta.append.items():
        place, key = _place(values, pointer)
        place[key] = place[key] + items


def _place(values: Json, pointer: str) -> tuple[Json, str]:
    *way, key = pointer.split("/")
    for part in way:
        values = values[part]
    return values, key
