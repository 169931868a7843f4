"""The promises of ``fsm_agent.engines.base.Engine``, each a test."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.engines.base import Engine
from fsm_agent.engines.urls import open_engine
from fsm_agent.testing.engines.bench import PATIENCE_S, EngineBench

T = TypeVar("T", bound="EngineContract")
P = ParamSpec("P")

#: each test has a namespace of its own, which no earlier process has used
_NUMBERS: Final = itertools.count()


def on_loop(test: Callable[Concatenate[T, P], Coroutine[Any, Any, None]]) -> Callable[Concatenate[T, P], None]:
    """Run an async test on a loop of its own."""

    def run(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(self, *args, **kwargs))

    return functools.update_wrapper(run, test)


class EngineContract:
    """Needs a fixture ``engine_url``."""

    def engine_at(self, url: str, namespace: str) -> Engine:
        """The engine for a namespace, not connected yet."""
        return open_engine(url, namespace=namespace)

    @asynccontextmanager
    async def bench(self, url: str) -> AsyncGenerator[EngineBench]:
        namespace = f"t{os.getpid()}-{os.urandom(4).hex()}-{next(_NUMBERS)}"
        async with self.engine_at(url, namespace) as engine:
            bench = EngineBench(engine, namespace)
            async with bench.runner:
                yield bench

    @on_loop
    async def test_who_is_woken_is_driven(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving():
            await bench.start("a")
            await bench.until_resting("a")
            await bench.runner.send("a", "go", drive=False)
            await bench.until(lambda: len(bench.begun) == 2)
            await bench.until_resting("a")

    @on_loop
    async def test_a_wake_up_that_is_repeated_does_nothing_twice(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving():
            bench.gate.clear()
            await bench.start("a")
            await bench.until(lambda: bench.begun == ["a"])
            await asyncio.gather(*[bench.wakeups.wake("a") for _ in range(20)])
            bench.gate.set()
            await bench.until_resting("a")
            for _ in range(3):
                await bench.heard("a")
            head = await bench.store.head("a")
            assert (bench.begun, head.version) == (["a"], 3)

    @on_loop
    async def test_a_wake_up_that_is_early_changes_nothing(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving():
            await bench.start("a", "nap")
            before = await bench.store.head("a")
            await bench.heard("a")
            assert await bench.store.head("a") == before
            assert before.wake_ms is not None

    @on_loop
    async def test_a_hundred_at_once_are_all_driven_and_no_more_at_a_time_than_allowed(self, engine_url: str) -> None:
        names = [f"a{number}" for number in range(100)]
        async with self.bench(engine_url) as bench, bench.serving(at_once=4):
            await asyncio.gather(*[bench.start(name) for name in names])
            await bench.until_resting(*names)
            assert sorted(bench.begun) == sorted(names)
            assert 1 <= bench.most <= 4

    @on_loop
    async def test_some_are_driven_at_the_same_time(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving(at_once=2):
            bench.gate.clear()
            for name in "abc":
                await bench.start(name)
            await bench.until(lambda: len(bench.begun) == 2)
            bench.gate.set()
            await bench.until_resting(*"abc")
            assert bench.most == 2

    @on_loop
    async def test_a_wake_up_for_nobody_harms_nobody(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving():
            await bench.heard("missing")
            await bench.start("a")
            await bench.until_resting("a")

    @on_loop
    async def test_who_is_driven_elsewhere_is_left_alone_until_that_ends(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving():
            await bench.start("a", is_lost=True)
            there = Lease(Holder("elsewhere", 1, 0), await bench.store.now() + 1_000 * PATIENCE_S)
            epoch = await bench.store.claim("a", await bench.store.head("a"), there)
            await bench.heard("a")
            assert bench.begun == []
            await bench.store.release("a", epoch)
            await bench.heard("a")
            await bench.until_resting("a")

    @on_loop
    async def test_a_wake_up_that_is_lost_is_made_good_by_the_sweep(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.working():
            names = [f"a{number}" for number in range(20)]
            for name in names:
                await bench.start(name, is_lost=True)
            await bench.until_resting(*names)
            assert sorted(bench.begun) == sorted(names)

    @on_loop
    async def test_sweep_and_engine_do_nothing_twice(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.working():
            names = [f"a{number}" for number in range(50)]
            await asyncio.gather(*[bench.start(name) for name in names])
            await bench.until_resting(*names)
            assert sorted(bench.begun) == sorted(names)

    @on_loop
    async def test_what_works_when_it_stops_may_end_and_nothing_begins_any_more(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving() as service:
            bench.gate.clear()
            await bench.start("a")
            await bench.until(lambda: bench.begun == ["a"])
            service.stopped.set()
            await bench.nothing_ends(service)
            await bench.start("b")
            await bench.nothing_ends(service)
            bench.gate.set()
            await service.task
            assert bench.begun == ["a"]
            assert await bench.stands("a", "b") == {"a": "resting", "b": "working"}

    @on_loop
    async def test_who_waits_for_its_turn_when_it_stops_is_left_to_others(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving(at_once=1) as service:
            bench.gate.clear()
            await bench.start("a")
            await bench.until(lambda: bench.begun == ["a"])
            await bench.start("b")
            service.stopped.set()
            await bench.nothing_ends(service)
            bench.gate.set()
            await service.task
            assert bench.begun == ["a"]
            assert list(await bench.store.due(await bench.store.now(), 9)) == ["b"]

    @on_loop
    async def test_what_does_not_end_in_time_is_given_back(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench, bench.serving(drain_s=0) as service:
            bench.gate.clear()
            await bench.start("a")
            await bench.until(lambda: bench.begun == ["a"])
            service.stopped.set()
            await service.task
            assert (await bench.store.head("a")).lease is None
            assert list(await bench.store.due(await bench.store.now(), 9)) == ["a"]

    @on_loop
    async def test_another_namespace_hears_nothing(self, engine_url: str) -> None:
        async with self.bench(engine_url) as here, self.bench(engine_url) as there, here.serving(), there.serving():
            for bench in (here, there):
                await bench.start("a", is_lost=True)
            await here.heard("a")
            await here.until_resting("a")
            await there.heard()
            assert await there.stands("a") == {"a": "working"}

    @on_loop
    async def test_nobody_needs_a_worker_to_wake(self, engine_url: str) -> None:
        async with self.bench(engine_url) as bench:
            await bench.start("a")
            assert list(await bench.store.due(await bench.store.now(), 9)) == ["a"]
