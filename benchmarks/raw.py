"""The yardsticks: what a careful program would say to each database by hand, with the same promise of durability.

A step is a compare-and-set of the head and one more row of history, together. Nothing else is kept.
"""

from __future__ import annotations

import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw
import psycopg
import redis

from benchmarks.matter import DATA, message, note

#: What a step of ours says of the head, and of itself.
HEAD: Final = json.dumps({"visits": {"working": 1}})
DELTA: Final = json.dumps({"set": {"count": 1, "note": note(17)}})
_WHOLE: Final = json.dumps(DATA)


class Raw(ABC):
    """One connection to a place of its own on the same server. ``agents`` heads are there, at version 0."""

    _agents: int

    def commits(self, steps: int, *, settle: Callable[[], object] = lambda: None) -> float:
        """Seconds for as many steps of one new agent, each committed before the next; ``settle`` is called before they
        begin."""
        self.prepare(1)
        settle()
        return self._timed(lambda version: self.step(0, version), steps)

    def waking(self) -> float:
        """Seconds in which one of all agents is read and takes a step."""
        agent = self._random.randrange(self._agents)
        began = time.perf_counter()
        version = self.look(agent)
        self.step(agent, version + 1)
        return time.perf_counter() - began

    def append_all(self, messages: int) -> None:
        """One row a message, as few transactions as one likes: what counts are the bytes."""
        self.prepare(1)
        for number in range(messages):
            self.append(number, json.dumps(message(number)))

    @abstractmethod
    def prepare(self, agents: int) -> None:
        """Nothing is there but this many heads."""

    @abstractmethod
    def look(self, agent: int) -> int:
        """Read a head; its version."""

    @abstractmethod
    def step(self, agent: int, version: int) -> None:
        """Commit one step."""

    @abstractmethod
    def append(self, number: int, text: str) -> None:
        """One row of history and nothing else."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    _random = random.Random(7)  # noqa: S311 - a benchmark needs no secrets

    @staticmethod
    def _timed(step: Callable[[int], None], steps: int) -> float:
        began = time.perf_counter()
        for version in range(1, steps + 1):
            step(version)
        return time.perf_counter() - began


class RawSqlite(Raw):
    """WAL, synchronous FULL."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = apsw.Connection(str(path))
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE head (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, rest TEXT)")
        self._connection.execute(
            "CREATE TABLE history (agent INTEGER, version INTEGER, event TEXT, delta TEXT,"
            " PRIMARY KEY (agent, version)) WITHOUT ROWID"
        )

    def prepare(self, agents: int) -> None:
        self._agents = agents
        rest = HEAD if agents == 1 else _WHOLE
        with self._connection:
            self._connection.execute("DELETE FROM head")
            self._connection.execute("DELETE FROM history")
            rows = ((number, "working", 0, rest) for number in range(agents))
            self._connection.executemany("INSERT INTO head VALUES (?, ?, ?, ?)", rows)

    def look(self, agent: int) -> int:
        ((version,),) = self._connection.execute("SELECT version FROM head WHERE id = ?", (agent,))
        assert isinstance(version, int)
        return version

    def step(self, agent: int, version: int) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "UPDATE head SET version = ? WHERE id = ? AND version = ?", (version, agent, version - 1)
        )
        self._connection.execute("INSERT INTO history VALUES (?, ?, 'again', ?)", (agent, version, DELTA))
        self._connection.execute("COMMIT")

    def append(self, number: int, text: str) -> None:
        self._connection.execute("INSERT INTO history VALUES (1, ?, 'again', ?)", (number, text))

    def close(self) -> None:
        self._connection.close()


class RawPostgres(Raw):
    """One prepared statement a step, committed by itself."""

    def __init__(self, url: str) -> None:
        self._connection: Any = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self._connection.execute(
            "CREATE TABLE head (id integer PRIMARY KEY, state text, version integer, rest text) WITH (fillfactor = 70)"
        )
        self._connection.execute(
            "CREATE TABLE history (agent integer, version integer, event text, delta text,"
            " PRIMARY KEY (agent, version))"
        )

    def prepare(self, agents: int) -> None:
        self._agents = agents
        rest = HEAD if agents == 1 else _WHOLE
        self._connection.execute("TRUNCATE head, history")
        self._connection.execute(
            "INSERT INTO head SELECT n, 'working', 0, %s FROM generate_series(0, %s - 1) AS n", (rest, agents)
        )

    def look(self, agent: int) -> int:
        (version,) = self._connection.execute("SELECT version FROM head WHERE id = %s", (agent,)).fetchone()
        assert isinstance(version, int)
        return version

    def step(self, agent: int, version: int) -> None:
        self._connection.execute(
            "WITH moved AS (UPDATE head SET version = %s WHERE id = %s AND version = %s RETURNING id, version)"
            " INSERT INTO history SELECT id, version, 'again', %s::text FROM moved",
            (version, agent, version - 1, DELTA),
        )

    def append(self, number: int, text: str) -> None:
        self._connection.execute("INSERT INTO history VALUES (1, %s, 'again', %s)", (number, text))

    def close(self) -> None:
        self._connection.close()


_STEP: Final = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'moving', ARGV[3])
redis.call('RPUSH', KEYS[2], ARGV[4])
return 1
"""


class RawRedis(Raw):
    """One script a step, in a database beside that of the agents."""

    def __init__(self, host: str, port: int) -> None:
        self._client: Any = redis.Redis(host=host, port=port, db=1)
        self._script: str = self._client.script_load(_STEP)

    def prepare(self, agents: int) -> None:
        self._agents = agents
        self._client.flushdb()
        rest = HEAD if agents == 1 else _WHOLE
        with self._client.pipeline(transaction=False) as pipeline:
            for number in range(agents):
                pipeline.hset(f"head:{number}", mapping={"version": 0, "state": "working", "rest": rest})
            pipeline.execute()

    def look(self, agent: int) -> int:
        return int(self._client.hgetall(f"head:{agent}")[b"version"])

    def step(self, agent: int, version: int) -> None:
        keys = (f"head:{agent}", f"history:{agent}")
        self._client.evalsha(self._script, 2, *keys, version - 1, version, HEAD, DELTA)

    def append(self, number: int, text: str) -> None:
        self._client.rpush("history:0", text)

    def close(self) -> None:
        self._client.flushdb()
        self._client.close()
