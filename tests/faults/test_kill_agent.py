"""SIGKILL at every place of an ``llm.agent`` tool loop: what is on record was asked for once, and is never asked again.

The model is a server in a process of its own, which writes each request down before it answers; the tools write down
what they do. What was on record when the process died is compared with what was asked after that.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fsm_agent import EffectEntry, Runner, open_store
from fsm_agent.domain.agent import Status
from tests.support.servers.openai_stub import write_script

from . import errands
from .effort import IS_LONG
from .trip import ROOT

RANDOM_KILLS = 60 if IS_LONG else 6
PATIENCE_MS = 250
#: of the places, to be looked at beside each other
PARTS = 2


class Calls(NamedTuple):
    """How often the model was asked, by the turn, and what the tools did, by the key."""

    asked: Counter[int]
    done: Counter[str]

    def of(self, entry: EffectEntry) -> int:
        return self.asked[entry.use - 1] if entry.name == "model" else self.done[entry.key]


class House:
    """The server that plays the model, and the process whose children are killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.journal = folder, folder / "requests.jsonl"
        self.journal.touch()
        script = write_script(folder / "answers.json", errands.ANSWERS)
        words = ["tests.support.servers.openai_stub", "--script", str(script), "--journal", str(self.journal)]
        self._stub = self._begun(words, dict(os.environ))
        address = {"OPENAI_BASE_URL": f"http://127.0.0.1:{self._line(self._stub)}/v1", "OPENAI_API_KEY": "sk-none"}
        self._thinker = self._begun(["tests.faults.thinker", str(folder)], {**os.environ, **address})
        assert self._line(self._thinker) == "ready"
        self._number = 0

    def _begun(self, words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        line, pipe = [sys.executable, "-m", *words], subprocess.PIPE
        return subprocess.Popen(line, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def close(self) -> None:
        for process in (self._thinker, self._stub):
            process.communicate()

    def moved(self) -> Path:
        """A new agent's folder; its name is that of its model too."""
        self._number += 1
        folder = self.folder / f"run-{self._number}"
        folder.mkdir()
        return folder

    def life(self, folder: Path, how: str = "at", number: int = 0) -> tuple[int, str]:
        """How many places the process came by, and how it ended."""
        assert self._thinker.stdin is not None
        self._thinker.stdin.write(f"{folder} openai-chat:{folder.name} {how} {number}\n")
        self._thinker.stdin.flush()
        places, end = self._line(self._thinker).split()
        return int(places), end

    def calls(self, folder: Path) -> Calls:
        requests = [json.loads(line)["body"] for line in self.journal.read_text().splitlines()]
        turns = [
            sum(message["role"] == "assistant" for message in body["messages"])
            for body in requests
            if body["model"] == folder.name
        ]
        world = folder / "world.txt"
        lines = world.read_text().splitlines() if world.exists() else []
        return Calls(Counter(turns), Counter(line.split()[0] for line in lines))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


def kept(folder: Path) -> list[EffectEntry]:
    """What is on record, read as whoever comes after a kill finds it."""

    async def read() -> list[EffectEntry]:
        async with open_store(f"sqlite:///{folder}/agents.db") as store:
            known = (await store.list()).heads
            return list(await store.effects(errands.ID)) if known else []

    return asyncio.run(read())


def killed(house: House, folder: Path, how: str, number: int) -> set[str]:
    """Let a process live until it is killed; returns the keys of what was open then, and may be asked for again."""
    house.life(folder, how, number)
    return {entry.key for entry in kept(folder) if entry.is_open}


def finished(house: House, folder: Path, was_open: set[str], *, kills: int = 1) -> None:
    """Let another process go on to the end, and look whether every promise was kept."""
    before, then = house.calls(folder), kept(folder)
    assert house.life(folder)[1] == "0"
    after, now = house.calls(folder), kept(folder)
    for entry in then:
        if not entry.is_open:
            assert before.of(entry) == after.of(entry), f"{entry.name} {entry.use} was on record"
    assert not any(entry.is_open for entry in now)
    assert sorted((entry.name, entry.use) for entry in now) == [
        ("model", 1), ("model", 2), ("model", 3), ("tool look", 1), ("tool look", 2), ("tool mail", 1),
        ("tool note", 1), ("tool note", 2),
    ]  # fmt: skip
    assert all(after.of(entry) == 1 for entry in now if entry.key not in was_open or entry.name == "tool mail")
    assert sum(after.of(entry) for entry in now) <= len(now) + kills
    asyncio.run(_adds_up(folder))


async def _adds_up(folder: Path) -> None:
    async with Runner(open_store(f"sqlite:///{folder}/agents.db")) as runner:
        agent = await runner.get(errands.ID)
        assert (agent.status, agent.output) == (Status.DONE, {"answer": errands.ANSWER})
        assert (agent.usage.requests, agent.usage.input_tokens) == (3, 33)
        assert not (await runner.replay(errands.ID)).mismatches
        said = await runner.store.messages(f"@{errands.ID}")
        assert [len(message.results) for message in said] == [0, 0, 1, 1, 0, 1, 1, 1, 0]
        results = [str(part["content"]) for message in said for part in message.parts if part["type"] == "tool_result"]
        assert results == errands.DEEDS


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_place_of_the_loop_asks_for_nothing_again_that_is_on_record(house: House, part: int) -> None:
    places, end = house.life(house.moved())
    assert (places > 50, end) == (True, "0")
    for place in range(1 + part, places + 1, PARTS):
        folder = house.moved()
        was_open = killed(house, folder, "at", place)
        assert int((folder / "places.txt").read_text()) == place
        assert len(was_open) <= 1
        finished(house, folder, was_open)


def test_nor_does_a_kill_at_a_random_moment(house: House) -> None:
    moments = random.Random(23)  # noqa: S311 - it is no secret
    for _ in range(RANDOM_KILLS):
        folder = house.moved()
        after_ms = [moments.randrange(PATIENCE_MS) for _ in range(moments.randrange(1, 4))]
        was_open = set().union(*(killed(house, folder, "after", each) for each in after_ms))
        finished(house, folder, was_open, kills=len(after_ms))
