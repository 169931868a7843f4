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
from tests.support.hypothesis_settings import IS_LONG
from tests.support.servers.openai_stub import write_script

from . import llm_agent_tools
from .flight_booking import ROOT

RANDOM_KILLS = 60 if IS_LONG else 6
PATIENCE_MS = 250
#: The crash points are split into so many parallel tests.
PARTS = 2


class Calls(NamedTuple):
    """How often the model was asked, by the turn, and what the tools did, by the key."""

    asked: Counter[int]
    done: Counter[str]

    def of(self, entry: EffectEntry) -> int:
        return self.asked[entry.use - 1] if entry.name == "model" else self.done[entry.key]


class LlmAgentProcesses:
    """The server that acts as the model, and the process whose child processes are killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.journal = folder, folder / "requests.jsonl"
        self.journal.touch()
        script = write_script(folder / "answers.json", llm_agent_tools.ANSWERS)
        words = ["tests.support.servers.openai_stub", "--script", str(script), "--journal", str(self.journal)]
        self._stub = self._start(words, dict(os.environ))
        address = {"OPENAI_BASE_URL": f"http://127.0.0.1:{self._line(self._stub)}/v1", "OPENAI_API_KEY": "sk-none"}
        self._process = self._start(["tests.faults.llm_agent_process", str(folder)], {**os.environ, **address})
        assert self._line(self._process) == "ready"
        self._number = 0

    def _start(self, words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        line, pipe = [sys.executable, "-m", *words], subprocess.PIPE
        return subprocess.Popen(line, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def close(self) -> None:
        for process in (self._process, self._stub):
            process.communicate()

    def new_folder(self) -> Path:
        """A folder for a new agent; its model has the same name."""
        self._number += 1
        folder = self.folder / f"run-{self._number}"
        folder.mkdir()
        return folder

    def run(self, folder: Path, how: str = "at", number: int = 0) -> tuple[int, str]:
        """Run a process; returns how many crash points it passed, and how it ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{folder} openai-chat:{folder.name} {how} {number}\n")
        self._process.stdin.flush()
        points, end = self._line(self._process).split()
        return int(points), end

    def calls(self, folder: Path) -> Calls:
        requests = [json.loads(line)["body"] for line in self.journal.read_text().splitlines()]
        turns = [
            sum(message["role"] == "assistant" for message in body["messages"])
            for body in requests
            if body["model"] == folder.name
        ]
        world = folder / "calls.txt"
        lines = world.read_text().splitlines() if world.exists() else []
        return Calls(Counter(turns), Counter(line.split()[0] for line in lines))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmAgentProcesses]:
    processes = LlmAgentProcesses(tmp_path_factory.mktemp("processes"))
    yield processes
    processes.close()


def effects_in(folder: Path) -> list[EffectEntry]:
    """The effects that the killed process left."""

    async def read() -> list[EffectEntry]:
        async with open_store(f"sqlite:///{folder}/agents.db") as store:
            known = (await store.list()).heads
            return list(await store.effects(llm_agent_tools.ID)) if known else []

    return asyncio.run(read())


def kill(processes: LlmAgentProcesses, folder: Path, how: str, number: int) -> set[str]:
    """Run a process until it is killed; returns the keys of open effects, which may be executed again."""
    processes.run(folder, how, number)
    return {entry.key for entry in effects_in(folder) if entry.is_open}


def check_finished(processes: LlmAgentProcesses, folder: Path, was_open: set[str], *, kills: int = 1) -> None:
    """Finish in another process, and check every promise."""
    before, then = processes.calls(folder), effects_in(folder)
    assert processes.run(folder)[1] == "0"
    after, now = processes.calls(folder), effects_in(folder)
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
    asyncio.run(_check_end(folder))


async def _check_end(folder: Path) -> None:
    async with Runner(open_store(f"sqlite:///{folder}/agents.db")) as runner:
        agent = await runner.get(llm_agent_tools.ID)
        assert (agent.status, agent.output) == (Status.DONE, {"answer": llm_agent_tools.ANSWER})
        assert (agent.usage.requests, agent.usage.input_tokens) == (3, 33)
        assert not (await runner.replay(llm_agent_tools.ID)).mismatches
        said = await runner.store.messages(f"@{llm_agent_tools.ID}")
        assert [len(message.results) for message in said] == [0, 0, 1, 1, 0, 1, 1, 1, 0]
        results = [str(part["content"]) for message in said for part in message.parts if part["type"] == "tool_result"]
        assert results == llm_agent_tools.EXPECTED_CALLS


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_place_of_the_loop_asks_for_nothing_again_that_is_on_record(
    processes: LlmAgentProcesses, part: int
) -> None:
    points, end = processes.run(processes.new_folder())
    assert (points > 50, end) == (True, "0")
    for point in range(1 + part, points + 1, PARTS):
        folder = processes.new_folder()
        was_open = kill(processes, folder, "at", point)
        assert int((folder / "points.txt").read_text()) == point
        assert len(was_open) <= 1
        check_finished(processes, folder, was_open)


def test_nor_does_a_kill_at_a_random_moment(processes: LlmAgentProcesses) -> None:
    moments = random.Random(23)  # noqa: S311 - it is no secret
    for _ in range(RANDOM_KILLS):
        folder = processes.new_folder()
        after_ms = [moments.randrange(PATIENCE_MS) for _ in range(moments.randrange(1, 4))]
        was_open = set().union(*(kill(processes, folder, "after", each) for each in after_ms))
        check_finished(processes, folder, was_open, kills=len(after_ms))
