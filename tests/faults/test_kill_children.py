"""A hundred children, several workers, and SIGKILL at random: each child is done once, and the parent joined once."""

from __future__ import annotations

import asyncio
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fsm_agent import Runner, Worker
from fsm_agent.domain.agent import ENDED, child_id
from tests.support.hypothesis_settings import IS_LONG

from . import children_process
from .flight_booking import ROOT

WORKERS = 3
KILLS = 12
ROUNDS = 10 if IS_LONG else 1
#: seconds in which a round must end, also on a busy machine
_TIMEOUT_S = 60


class Workers:
    """Worker processes on one store; they write lines to one pipe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader, self._writer = os.pipe()
        self._workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-m", "tests.faults.children_process", str(self._folder)]
        self._workers.append(subprocess.Popen(words, env=environment, stdout=self._writer))

    def lines(self, seconds: float) -> Iterator[str]:
        """Their lines, for so many seconds."""
        until, rest = time.monotonic() + seconds, ""
        while (left := until - time.monotonic()) > 0 and select.select([self._reader], [], [], left)[0]:
            *whole, rest = (rest + os.read(self._reader, 65_536).decode()).split("\n")
            yield from whole

    def kill_one(self, number: int) -> None:
        process = self._workers.pop(number)
        process.kill()
        process.wait(timeout=30)

    def end(self) -> None:
        while self._workers:
            self.kill_one(0)
        os.close(self._reader)
        os.close(self._writer)


@contextmanager
def workers_on(folder: Path) -> Iterator[Workers]:
    workers = Workers(folder)
    try:
        for _ in range(WORKERS):
            workers.start_worker()
        yield workers
    finally:
        workers.end()


def kill_at_random(folder: Path, rng: random.Random) -> int:
    """Kill one worker after another at random until the parent has ended; returns how many were killed."""
    killed, left = 0, rng.randrange(1, 8)
    with workers_on(folder) as workers:
        for line in workers.lines(_TIMEOUT_S):
            if line == "ended":
                return killed
            left -= 1
            if left <= 0 and killed < KILLS:
                workers.kill_one(rng.randrange(WORKERS))
                workers.start_worker()
                killed, left = killed + 1, rng.randrange(1, 30)
    return killed


async def start_parent(folder: Path) -> None:
    async with children_process.make_runner(folder, children_process.open_agents(folder)) as runner:
        await runner.start(children_process.PARENT, id=children_process.PARENT_ID, drive=False)


async def check_everything(folder: Path) -> None:
    """Sweep in this process, and check every promise. The clock is ahead, so that every timer and lease is due."""
    later = children_process.open_agents(folder, clock=lambda: time.time_ns() // 1_000_000 + 60_000)
    async with children_process.make_runner(folder, later) as runner:
        await Worker(runner).run_once()
        await _check_parent(runner)
        for number in range(1, children_process.CHILDREN + 1):
            await _check_child(runner, folder, number)
        heads = (await runner.store.list(limit=1000)).heads
        assert len(heads) == 1 + children_process.CHILDREN, "there is no child but those"
        assert {(head.children, head.lease) for head in heads} == {(0, None)}
        assert await runner.store.due(await runner.store.now(), 9) == []


async def _check_parent(runner: Runner) -> None:
    agent, history = await runner.get(children_process.PARENT_ID), await runner.history(children_process.PARENT_ID)
    assert agent.status in ENDED, f"it is {agent.status}"
    assert [step.event for step in history] == ["created", "joined"]
    assert agent.output == {
        "receipts": [{"receipts": _receipts(number)} for number in range(children_process.CHILDREN)]
    }
    assert (await runner.replay(children_process.PARENT_ID)).is_verified


async def _check_child(runner: Runner, folder: Path, number: int) -> None:
    ident = child_id(children_process.PARENT_ID, 1, number)
    history, effects = await runner.history(ident), await runner.effects(ident)
    assert [step.event for step in history] == ["created", "begun", "after", "done_so"]
    assert (await runner.replay(ident)).is_verified
    assert [entry.result for entry in effects] == _receipts(number - 1)
    assert all(not entry.is_open and children_process.calls_in(folder)[entry.key] >= 1 for entry in effects)


def _receipts(number: int) -> list[dict[str, object]]:
    return [{"number": number, "state": state} for state in ("beginning", "ending")]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_hundred_children_are_each_done_once_and_joined_once_whatever_is_killed(tmp_path: Path, seed: int) -> None:
    asyncio.run(start_parent(tmp_path))
    killed = kill_at_random(tmp_path, random.Random(seed))  # noqa: S311 - it is no secret
    asyncio.run(check_everything(tmp_path))
    done = children_process.calls_in(tmp_path)
    assert len(done) == 2 * children_process.CHILDREN, "each effect has one key"
    again = done.total() - len(done)
    print(f"killed: {killed}, done again for want of a record: {again}")  # noqa: T201 - shown by `pytest -rP`
    assert killed >= KILLS // 2
    assert again <= killed * 10
