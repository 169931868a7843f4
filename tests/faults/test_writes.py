"""A process may die after any write of an operation; the release of a lease is a write, too. Then the sweep of another
process ends, leaves no lease over, and brings all agents to the state that they would have without the death."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import open_store
from fsm_agent.runtime import processes
from fsm_agent.runtime.processes import is_alive, this_process
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.leases import Leases
from fsm_agent.stores.listing import Listing

from .crashing_store import WRITES, CrashingStore, Killed
from .operations import OPERATIONS, finish, make_runner

#: Verbs of the port that change nothing.
READS = {
    *(
        "close",
        "definitions",
        "dump",
        "due",
        "effects",
        "find_ids",
        "find_key",
        "from_url",
        "head",
        "held_here",
        "history",
        "inspect",
        "lapsed",
        "list",
        "list_in",
        "listen",
    ),
    *("load", "load_workflow", "messages", "now", "origin", "ring", "size", "tend", "threads", "user", "users"),
    *("count_questions", "heads", "questions", "select", "tally"),
}
#: Writes that no operation needs.
UNUSED_WRITES = {"append", "reindex", "renew", "renew_all", "retract"}


def become_another_process() -> None:
    """Take the name of a new process. The holder with the old name is dead from now on."""
    before = this_process()
    while time.time() * 1000 < before.started_ms + 2:
        pass
    processes._holder.cache_clear()
    assert is_alive(before) is False


async def run_operation(name: str, url: str, last: int | None) -> tuple[list[str], list[Any]]:
    """A process does an operation until it has written ``last`` times, and another one finishes it. Returns the verbs
    that had written, and everything that is stored in the end."""
    operation, clock, is_file = OPERATIONS[name], FakeClock(), url.startswith("sqlite")
    store: Store = open_store(url, clock=clock)
    await operation.prepare(make_runner(store))
    become_another_process()
    crashing = CrashingStore(store, last)
    with suppress(Killed):
        await operation.do(make_runner(crashing))
    assert last is None or len(crashing.writes) == last
    become_another_process()
    if is_file:
        await store.close()
        store = open_store(url, clock=clock)
    async with make_runner(store) as runner:
        return crashing.writes, await asyncio.wait_for(finish(runner, clock, operation), 60)


@cache
def undisturbed(name: str) -> tuple[list[str], list[Any]]:
    """The verbs that write in an operation without a crash, in their order, and everything that is stored then."""
    return asyncio.run(run_operation(name, "memory://", None))


def test_every_verb_of_the_port_reads_or_is_a_write_that_some_process_dies_after() -> None:
    port = {**vars(Listing), **vars(Leases), **vars(Store)}
    verbs = {name for name, verb in port.items() if callable(verb) and not name.startswith("_")}
    assert verbs - READS == WRITES, "say of each new verb whether it writes"
    assert set().union(*(undisturbed(name)[0] for name in OPERATIONS)) == WRITES - UNUSED_WRITES


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_death_after_any_write_changes_nothing_in_the_end(name: str, backend: str, tmp_path: Path) -> None:
    writes, ends = undisturbed(name)
    for last in range(1, len(writes) + 1):
        url = "memory://" if backend == "memory" else f"sqlite:///{tmp_path}/{last}.db"
        done, found = asyncio.run(run_operation(name, url, last))
        assert found == ends, done


@pytest.mark.parametrize("name", OPERATIONS)
def test_nor_does_a_kill(name: str, tmp_path: Path) -> None:
    writes, ends = undisturbed(name)
    line = [sys.executable, "-m", "tests.faults.killed_operations", name, str(tmp_path)]
    done = subprocess.run(line, check=True, capture_output=True, text=True, timeout=120)
    assert int(done.stdout) == len(writes)
    for last in range(1, len(writes) + 1):
        assert asyncio.run(_found(name, tmp_path / f"{last}.db")) == ends, writes[:last]


async def _found(name: str, file: Path) -> list[Any]:
    clock = FakeClock()
    async with make_runner(open_store(f"sqlite:///{file}", clock=clock)) as runner:
        return await asyncio.wait_for(finish(runner, clock, OPERATIONS[name]), 60)
