"""Steps per second: the engine in memory, one agent on disk, a hundred agents on disk, a long conversation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import transitions

from benchmarks.measure import Row, at_least, at_most, interleave, timed
from benchmarks.subjects import DATA, TALKING, WORKING, talk, work
from fsm_agent import Runner, open_store

STEPS = 2_000
DURABLE_STEPS = 400
AGENTS = 100
STEPS_EACH = 50
MESSAGES = 3_000


class _Cursor:
    state = "a"


def engine_in_memory() -> Row:
    machine: Any = transitions.Machine(
        model=None, states=["a", "b"], initial="a", auto_transitions=False, send_event=True
    )
    machine.add_transition("go", "a", "b")
    machine.add_transition("go", "b", "a")
    trigger, cursor = machine.events["go"].trigger, _Cursor()

    def bare() -> float:
        return timed(lambda: [trigger(cursor) for _ in range(STEPS)])

    pair = interleave(lambda: asyncio.run(_one_agent("memory://", STEPS)), bare)
    ratio = pair.yardstick / pair.subject
    detail = f"{STEPS / pair.subject:,.0f} steps/s against {STEPS / pair.yardstick:,.0f} bare triggers/s"
    return at_least("engine + guard + validation + delta + history, memory store", 0.2, ratio, detail)


async def _one_agent(url: str, steps: int) -> float:
    async with Runner(open_store(url), actions=[work]) as runner:
        agent = await runner.start(WORKING, data={**DATA, "until": steps})
        began = time.perf_counter()
        await runner.send(agent.id, "go")
        return time.perf_counter() - began


def one_agent_durable() -> Row:
    with _folder() as folder:
        number = iter(range(1_000_000))

        def ours() -> float:
            return asyncio.run(_one_agent(f"sqlite:///{folder}/agent{next(number)}.db", DURABLE_STEPS))

        def raw() -> float:
            return _raw_commits(folder / f"raw{next(number)}.db", DURABLE_STEPS)

        pair = interleave(ours, raw)
    detail = f"{DURABLE_STEPS / pair.subject:,.0f} steps/s against {DURABLE_STEPS / pair.yardstick:,.0f} raw commits/s"
    return at_least("one agent, durable steps, SQLite WAL FULL", 0.7, pair.yardstick / pair.subject, detail)


def hundred_agents() -> Row:
    with _folder() as folder:
        number = iter(range(1_000_000))

        def ours() -> float:
            return asyncio.run(_many_agents(f"sqlite:///{folder}/agents{next(number)}.db"))

        def raw() -> float:
            return _raw_commits(folder / f"raw{next(number)}.db", DURABLE_STEPS)

        pair = interleave(ours, raw)
    steps_s, commits_s = AGENTS * STEPS_EACH / pair.subject, DURABLE_STEPS / pair.yardstick
    detail = f"{steps_s:,.0f} steps/s against {commits_s:,.0f} raw commits/s"
    return at_least(f"{AGENTS} agents, isolated, one SQLite file", 4, steps_s / commits_s, detail)


async def _many_agents(url: str) -> float:
    async with Runner(open_store(url), actions=[work]) as runner:
        data = {**DATA, "until": STEPS_EACH}
        agents = await asyncio.gather(*(runner.start(WORKING, data=data) for _ in range(AGENTS)))
        began = time.perf_counter()
        await asyncio.gather(*(runner.send(agent.id, "go") for agent in agents))
        return time.perf_counter() - began


def _raw_commits(path: Path, steps: int) -> float:
    """UPDATE + INSERT in a transaction of their own, with what a step of ours writes."""
    connection = _raw_database(path)
    connection.execute("INSERT INTO head VALUES (1, 'working', 0, ?)", (json.dumps({"visits": {"working": 1}}),))
    delta = json.dumps({"set": {"count": 1, "note": "compared the prices of offer 17 with those of the day before"}})
    began = time.perf_counter()
    for version in range(1, steps + 1):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE head SET version = ? WHERE id = 1 AND version = ?", (version, version - 1))
        connection.execute("INSERT INTO history VALUES (1, ?, 'again', ?)", (version, delta))
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def _raw_database(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE head (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, rest TEXT)")
    connection.execute(
        "CREATE TABLE history (agent INTEGER, version INTEGER, event TEXT, delta TEXT, PRIMARY KEY (agent, version))"
        " WITHOUT ROWID"
    )
    return connection


def long_conversation() -> list[Row]:
    with _folder() as folder:
        url = f"sqlite:///{folder}/talk.db"
        thirds = asyncio.run(_conversation(url))
        ours = _bytes(folder / "talk.db")
        raw = _raw_appends(folder / "raw.db")
    linear = thirds[2] / thirds[0]
    bytes_detail = f"{ours / 1e6:.2f} MB against {raw / 1e6:.2f} MB for {MESSAGES:,} messages of 200 B, one a step"
    time_detail = f"last {MESSAGES // 3:,} steps {thirds[2]:.2f} s, first {MESSAGES // 3:,} steps {thirds[0]:.2f} s"
    return [
        at_most(f"{MESSAGES:,} messages by `append`: bytes against raw appends", 2, ours / raw, bytes_detail),
        at_most(
            f"{MESSAGES:,} messages by `append`: time of the last third against the first", 1.5, linear, time_detail
        ),
    ]


async def _conversation(url: str) -> list[float]:
    marks = [time.perf_counter()]

    def observe(head: Any) -> None:
        if head.version % (MESSAGES // 3) == 0 and len(marks) == head.version // (MESSAGES // 3):
            marks.append(time.perf_counter())

    async with Runner(open_store(url), actions=[talk], observe=observe) as runner:
        await runner.start(TALKING, data={"until": MESSAGES})
    return [after - before for before, after in pairwise(marks)]


def _raw_appends(path: Path) -> int:
    connection = _raw_database(path)
    message = json.dumps({"role": "user", "content": "x" * 168})
    for version in range(MESSAGES):
        connection.execute("INSERT INTO history VALUES (1, ?, 'again', ?)", (version, message))
    connection.close()
    return _bytes(path)


def _bytes(path: Path) -> int:
    """What a database weighs when its log is written back."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)
