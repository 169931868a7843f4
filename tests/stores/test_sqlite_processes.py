"""Several processes, one file: they take turns, wait for each other, and may die at any instruction."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fsm_agent.domain.step import Delta
from fsm_agent.errors import Conflict, StoreUnavailable
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, all_of, data_of, keep_definitions

#: Commits one version for each line that it reads, and says what became of it.
COMMITTER = """
import asyncio, sys
from pathlib import Path
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import a_commit

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        for line in sys.stdin:
            try:
                await store.commit(a_commit(int(line)))
                print("taken", flush=True)
            except Exception as error:
                print(type(error).__name__, flush=True)

asyncio.run(main())
"""

#: Holds the database from its first line to the end of its input.
HOLDER = """
import sys, apsw
db = apsw.Connection(sys.argv[1])
db.execute("BEGIN IMMEDIATE")
print("ready", flush=True)
sys.stdin.readline()
db.execute("COMMIT")
"""

#: Drives five agents at once, each step appending its own version, and says after each what is acknowledged.
DRIVER = """
import asyncio, sys
from pathlib import Path
from fsm_agent.domain.step import Delta
from fsm_agent.domain.record import Snapshot
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import a_commit

async def drive(store, agent_id):
    version = (await store.head(agent_id)).version
    while True:
        version += 1
        values = {"log": [], "n": version}
        snapshot = Snapshot(version, values, {"log": 1}) if version % 7 == 0 else None
        delta = Delta({"n": version}, append={"log": [version]})
        await store.commit(a_commit(version, delta=delta, head={"id": agent_id}, snapshot=snapshot, key=f"k{version}"))
        print(agent_id, version, flush=True)
        if version % 5 == 0:
            await asyncio.sleep(0)

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        await asyncio.gather(*(drive(store, f"agent-{n}") for n in range(5)))

asyncio.run(main())
"""

OPENER = """
import asyncio, sys
from pathlib import Path
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    async with SqliteStore(Path(sys.argv[1])) as store:
        await keep_definitions(store)
        await store.create(a_creation(sys.argv[2]))
    print("done", flush=True)

asyncio.run(main())
"""


class Process:
    """A Python process to talk with, line by line."""

    def __init__(self, script: str, *arguments: str | Path) -> None:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.hears() == "ready"

    def hears(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def says(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def asked(self, line: str) -> str:
        self.says(line)
        return self.hears()

    def kill(self) -> list[str]:
        """SIGKILL; returns what it had said and nobody had heard."""
        self._process.kill()
        assert self._process.stdout is not None
        return self._process.stdout.read().splitlines()

    def end(self) -> int:
        self._process.communicate()
        return self._process.returncode


@contextmanager
def running(script: str, *arguments: str | Path) -> Iterator[Process]:
    process = Process(script, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.end()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    async def make() -> None:
        async with SqliteStore(tmp_path / "agents.db") as store:
            await keep_definitions(store)
            await store.create(a_creation())

    asyncio.run(make())
    return tmp_path / "agents.db"


def test_a_version_that_another_process_took_is_refused_here(path: Path) -> None:
    async def race() -> None:
        async with SqliteStore(path) as store:
            with running(COMMITTER, path) as other:
                assert other.asked("2") == "taken"
                with pytest.raises(Conflict, match="at version 2, and version 1 was expected"):
                    await store.commit(a_commit(2))
                await store.commit(a_commit(3))
                assert other.asked("3") == "Conflict"
                assert other.asked("4") == "taken"
                assert (await store.head(ID)).version == 4

    asyncio.run(race())


def test_a_held_database_is_read_meanwhile_and_written_afterwards(path: Path) -> None:
    async def wait() -> None:
        async with SqliteStore(path) as store:
            with running(HOLDER, path) as holder:
                writing = asyncio.ensure_future(store.commit(a_commit(2)))
                for _ in range(3):
                    await asyncio.sleep(0)
                assert (await store.load(ID)).head.version == 1
                assert not writing.done()
                holder.says("let go")
                await writing
            assert (await store.load(ID)).head.version == 2

    asyncio.run(wait())


def test_a_database_that_stays_held_is_reported_as_locked(path: Path) -> None:
    async def give_up() -> None:
        async with SqliteStore(path, patience_ms=20) as store:
            before = await all_of(store)
            with running(HOLDER, path):
                writes = (store.commit(a_commit(2)), store.commit(a_commit(2, key="k")))
                outcomes = await asyncio.gather(*writes, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
                assert str(outcomes[0]).startswith(f"database {path} is locked by another process; try again")
                assert await all_of(store) == before
            await store.commit(a_commit(2))

    asyncio.run(give_up())


def test_processes_that_make_the_same_file_at_once_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    openers = [Process(OPENER, path, f"agent-{n}") for n in range(4)]
    for opener in openers:
        opener.says("go")
    assert [opener.hears() for opener in openers] == ["done"] * 4
    assert [opener.end() for opener in openers] == [0] * 4

    async def look() -> None:
        async with SqliteStore(path) as store:
            assert len((await store.list()).heads) == 4

    asyncio.run(look())


def test_a_killed_process_leaves_every_acknowledged_step_and_no_half_of_another(path: Path) -> None:
    agents = [f"agent-{n}" for n in range(5)]
    acknowledged = dict.fromkeys(agents, 1)
    chance = random.Random(7)  # noqa: S311 - a reproducible choice, no secret

    async def make() -> None:
        async with SqliteStore(path) as store:
            for agent_id in agents:
                if agent_id != ID:
                    await store.create(a_creation(agent_id))
            for agent_id in agents:
                base = a_commit(2, delta=Delta({"log": [], "n": 2}), head={"id": agent_id})
                await store.commit(base)

    async def look() -> None:
        async with SqliteStore(path) as store:
            for agent_id in agents:
                record, history = await all_of(store, agent_id)
                version = record.head.version
                assert version >= acknowledged[agent_id]
                assert [step.version for step in history] == list(range(1, version + 1))
                assert data_of(record) == {"log": list(range(3, version + 1)), "n": version}
                outcomes = [(await store.load(agent_id, key=f"k{at}")).outcome for at in (version, version + 1)]
                assert [outcome and outcome.version for outcome in outcomes] == [version if version > 2 else None, None]

    asyncio.run(make())
    for _ in range(6):
        with running(DRIVER, path) as driver:
            heard = [driver.hears() for _ in range(chance.randrange(1, 300))]
            heard += driver.kill()
        for line in heard:
            if len(words := line.split()) == 2:  # the last line may be cut
                acknowledged[words[0]] = int(words[1])
        asyncio.run(look())
    assert all(version > 10 for version in acknowledged.values())
