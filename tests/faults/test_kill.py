"""SIGKILL, wherever it lands in a process that books a flight, costs nothing that was acknowledged."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.book_flight import actions as gallery
from fsm_agent import Runner, open_store
from fsm_agent.data.delta import fold
from fsm_agent.domain.step import Step
from tests.support.hypothesis_settings import IS_LONG

from .flight_booking import ID, ROOT, book_flight

DAY = (datetime.now(UTC) + timedelta(days=30)).date()
GOAL = f"Book a flight from San Francisco to NYC on {DAY}"
KILLS = 60 if IS_LONG else 6


class Booking(NamedTuple):
    """How a booking ended: data, output, the itinerary file, the history."""

    data: dict[str, Any]
    output: Any
    itinerary: str
    steps: list[tuple[Any, ...]]


class KilledProcess:
    """A process in ``folder`` that will be killed. With ``halt`` it has halted there when this returns."""

    def __init__(self, folder: Path, operation: str = "book", *, halt: str = "") -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HALT": halt}
        words = [sys.executable, "-m", *self.command(operation)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, cwd=folder, env=environment, stdin=pipe, stdout=pipe)
        self.lines: list[str] = []
        if halt:
            line, _, number = halt.partition(":")
            self.listen(lambda lines: lines.count(line) == int(number))
            assert self.lines.count(line) == int(number), f"{halt} was never reached"

    def command(self, operation: str) -> list[str]:
        """The module that it runs, and its arguments."""
        return ["tests.faults.flight_process", operation, "agents.db", GOAL]

    def listen(self, is_enough: Callable[[list[str]], bool]) -> None:
        """Read its lines until ``is_enough``, or until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode().strip())
            if is_enough(self.lines):
                return

    def listen_to(self, number: int) -> None:
        self.listen(lambda lines: len(lines) >= number)

    def kill(self) -> str:
        """Kill it; returns the kind of place where it was."""
        self.process.kill()
        self.end()
        kind = self.lines[-1].split()[0]
        return "between" if kind == "kept" else kind

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.listen(lambda lines: False)
        self.process.stdout.close()
        return self.process.wait(timeout=30)

    @property
    def last_version(self) -> int:
        """The last version that was acknowledged."""
        return max((int(line.split()[1]) for line in self.lines if line.startswith("kept")), default=0)


def halted(folder: Path, operation: str, number: int) -> KilledProcess:
    """One that is in an action: the first line is lines before its work, the second after it."""
    return KilledProcess(folder, operation, halt=f"action:{number}")


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a process of its own."""
    line = [
        sys.executable,
        "-c",
        "from fsm_agent.cli.main import main; main()",
        "--store",
        "sqlite:///agents.db",
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def finish(folder: Path) -> Booking:
    """Finish the booking in this process."""

    async def go_on() -> Booking:
        async with Runner(open_store(f"sqlite:///{folder}/agents.db"), modules=[gallery.__name__]) as runner:
            agent, history = await book_flight(runner, GOAL), await runner.history(ID)
            assert [step.version for step in history] == list(range(1, agent.version + 1))
            assert fold(None, history).values == agent.data
            return Booking(dict(agent.data), agent.output, _itinerary(folder), [_told(step) for step in history])

    return asyncio.run(go_on())


def history(folder: Path) -> list[tuple[Any, ...]]:
    """The history that the killed process left."""

    async def read() -> list[tuple[Any, ...]]:
        async with open_store(f"sqlite:///{folder}/agents.db") as store:
            return [_told(step) for step in await store.history(ID)]

    return asyncio.run(read())


def _told(step: Step) -> tuple[Any, ...]:
    return step.version, step.kind, step.event, step.payload, step.source, step.target, step.delta


def _itinerary(folder: Path) -> str:
    return (folder / "itineraries" / f"{ID}.md").read_text(encoding="utf-8")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Each call makes an empty folder and changes to it, because an itinerary is written to the current folder."""

    def empty() -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        monkeypatch.chdir(folder)
        return folder

    return empty


@pytest.fixture
def undisturbed(folders: Callable[[], Path]) -> Booking:
    return finish(folders())


def _kill_and_finish(folder: Path, process: KilledProcess, expected: Booking) -> str:
    """Kill the process, finish in this one, and compare; returns where the kill landed."""
    landed = process.kill()
    if process.last_version:
        assert history(folder)[: process.last_version] == expected.steps[: process.last_version]
    assert finish(folder) == expected
    return landed


#: kind of place -> lines of the process at which it is killed; an action writes one before its work and one after it
KILL_POINTS = {
    "action": ["action:1", "action:2", "action:8", "action:11", "action:12"],
    "commit": [
        "commit CREATE TABLE workflows:1",
        "commit INSERT INTO starts:1",
        "commit INSERT INTO steps:3",
        "commit UPDATE heads SET:7",
        "commit INSERT INTO keys:2",
        "commit now:12",
    ],
    "between": ["between:3", "kept 5:1"],
}


@pytest.mark.parametrize("kind", KILL_POINTS)
def test_a_kill_inside_of_one_loses_nothing(folders: Callable[[], Path], undisturbed: Booking, kind: str) -> None:
    for point in KILL_POINTS[kind]:
        folder = folders()
        assert _kill_and_finish(folder, KilledProcess(folder, halt=point), undisturbed) == kind


def test_nor_does_a_kill_at_a_random_moment(folders: Callable[[], Path], undisturbed: Booking) -> None:
    landed: Counter[str] = Counter()
    moments = random.Random(7)  # noqa: S311 - it is no secret
    for _ in range(KILLS):
        folder = folders()
        process = KilledProcess(folder)
        process.listen_to(moments.randrange(1, 120))
        landed[_kill_and_finish(folder, process, undisturbed)] += 1
    print(f"kills landed: {dict(landed)}")  # noqa: T201 - shown by `pytest -rP`
    assert landed.total() == KILLS


def test_the_command_line_goes_on_where_a_killed_process_was(folders: Callable[[], Path], undisturbed: Booking) -> None:
    folder = folders()
    halted(folder, "book", 4).kill()
    resumed = command(folder, "--json", "--module", gallery.__name__, "resume", ID)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert json.loads(resumed.stdout)["state"] == "waiting_feedback.airport"
    assert finish(folder) == undisturbed


def test_of_two_that_resume_one_drives_and_the_other_says_who_does(
    folders: Callable[[], Path], undisturbed: Booking
) -> None:
    folder = folders()
    halted(folder, "book", 3).kill()
    driver = halted(folder, "resume", 1)
    refused = command(folder, "resume", ID)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"agent 'trip' is driven by process {driver.process.pid} on " in refused.stderr
    assert driver.end() == 0
    assert finish(folder) == undisturbed
