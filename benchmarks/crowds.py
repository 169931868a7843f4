"""Ten thousand agents that wait: what each weighs, and how fast one wakes."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from benchmarks.measure import Row, at_most
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store

AGENTS = 10_000
AT_ONCE = 500
WAKES = 200


def ten_thousand_waiting() -> list[Row]:
    with TemporaryDirectory() as name:
        path = Path(name) / "crowd.db"
        wake, raw = asyncio.run(_crowd(path))
        each = _weight(path) / AGENTS
    weight = f"{each:,.0f} B an agent, with its data of about 500 B, its two steps and a timer"
    speed = f"p50 {wake * 1e6:,.0f} us (load, decide, commit) against {raw * 1e6:,.0f} us raw (SELECT, UPDATE + INSERT)"
    return [
        at_most(f"{AGENTS:,} waiting agents, SQLite: KB each", 1, each / 1000, weight),
        at_most(f"{AGENTS:,} waiting agents, SQLite: wake p50 against raw", 3, wake / raw, speed),
    ]


async def _crowd(path: Path) -> tuple[float, float]:
    async with Runner(open_store(f"sqlite:///{path}"), actions=[work]) as runner:
        ids: list[str] = []
        data = {**DATA, "until": 1}
        for _ in range(AGENTS // AT_ONCE):
            made = await asyncio.gather(*(runner.start(WORKING, "go", data=data) for _ in range(AT_ONCE)))
            ids += [agent.id for agent in made]
        raw = _RawCrowd(path.with_name("raw.db"))
        woken, yardstick = [], []
        for agent_id in random.Random(7).sample(ids, WAKES):  # noqa: S311 - a benchmark needs no secrets
            began = time.perf_counter()
            await runner.send(agent_id, "poke")
            woken.append(time.perf_counter() - began)
            yardstick.append(raw.wake())
        return statistics.median(woken), statistics.median(yardstick)


class _RawCrowd:
    """The same number of rows by hand."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._random = random.Random(7)  # noqa: S311 - a benchmark needs no secrets
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE head (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, data TEXT)",
            "CREATE TABLE history (agent INTEGER, version INTEGER, delta TEXT, PRIMARY KEY (agent, version))",
        ):
            self._connection.execute(statement)
        with self._connection:
            rows = ((number, "waiting", 1, "x" * 500) for number in range(AGENTS))
            self._connection.executemany("INSERT INTO head VALUES (?, ?, ?, ?)", rows)

    def wake(self) -> float:
        number = self._random.randrange(AGENTS)
        began = time.perf_counter()
        ((version,),) = self._connection.execute("SELECT version FROM head WHERE id = ?", (number,))
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("UPDATE head SET version = ? WHERE id = ?", (version + 1, number))
        self._connection.execute(
            "INSERT INTO history VALUES (?, ?, ?)", (number, version + 1, '{"set":{"note":"poked"}}')
        )
        self._connection.execute("COMMIT")
        return time.perf_counter() - began


def _weight(path: Path) -> int:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size
