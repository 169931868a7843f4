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

from .effort import IS_LONG
from .trip import ID, ROOT, travel

DAY = (datetime.now(UTC) + timedelta(days=30)).date()
GOAL = f"Book a flight from San Francisco to NYC on {DAY}"
KILLS = 60 if IS_LONG else 6


class Trip(NamedTuple):
    """How a trip ended: what the agent knows, what the traveller holds, what is on record."""

    data: dict[str, Any]
    output: Any
    itinerary: str
    steps: list[tuple[Any, ...]]


class Victim:
    """A process of its own in ``folder``. One that is told where to halt is there when this returns."""

    def __init__(self, folder: Path, deed: str = "travel", *, halt: str = "") -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HALT": halt}
        words = [sys.executable, "-m", *self.words(deed)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, cwd=folder, env=environment, stdin=pipe, stdout=pipe)
        self.said: list[str] = []
        if halt:
            line, _, number = halt.partition(":")
            self.listen(lambda said: said.count(line) == int(number))
            assert self.said.count(line) == int(number), f"{halt} was never reached"

    def words(self, deed: str) -> list[str]:
        """The module that it runs, and what that is told."""
        return ["tests.faults.victim", deed, "trip.db", GOAL]

    def listen(self, is_enough: Callable[[list[str]], bool]) -> None:
        """Hear what it says until that is enough, or it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.decode().strip())
            if is_enough(self.said):
                return

    def listen_to(self, lines: int) -> None:
        self.listen(lambda said: len(said) >= lines)

    def kill(self) -> str:
        """The kind of place where it was."""
        self.process.kill()
        self.end()
        kind = self.said[-1].split()[0]
        return "between" if kind == "kept" else kind

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.listen(lambda said: False)
        self.process.stdout.close()
        return self.process.wait(timeout=30)

    @property
    def kept(self) -> int:
        """The last version that was acknowledged."""
        return max((int(line.split()[1]) for line in self.said if line.startswith("kept")), default=0)


def halted(folder: Path, deed: str, number: int) -> Victim:
    """One that is in an action: the first line is said before its work, the second after it."""
    return Victim(folder, deed, halt=f"action:{number}")


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a process of its own."""
    line = [sys.executable, "-c", "from fsm_agent.cli.main import main; main()", "--store", "sqlite:///trip.db", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def finish(folder: Path) -> Trip:
    """Another process, this one, goes on with the trip to its end."""

    async def go_on() -> Trip:
        async with Runner(open_store(f"sqlite:///{folder}/trip.db"), modules=[gallery.__name__]) as runner:
            agent, history = await travel(runner, GOAL), await runner.history(ID)
            assert [step.version for step in history] == list(range(1, agent.version + 1))
            assert fold(None, history).values == agent.data
            return Trip(dict(agent.data), agent.output, _itinerary(folder), [_told(step) for step in history])

    return asyncio.run(go_on())


def history(folder: Path) -> list[tuple[Any, ...]]:
    """What is on record already, read as whoever comes after a kill finds it."""

    async def read() -> list[tuple[Any, ...]]:
        async with open_store(f"sqlite:///{folder}/trip.db") as store:
            return [_told(step) for step in await store.history(ID)]

    return asyncio.run(read())


def _told(step: Step) -> tuple[Any, ...]:
    return step.version, step.kind, step.event, step.payload, step.source, step.target, step.delta


def _itinerary(folder: Path) -> str:
    return (folder / "itineraries" / f"{ID}.md").read_text(encoding="utf-8")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Each call gives an empty folder, and goes there: an itinerary is written where its process is."""

    def empty() -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        monkeypatch.chdir(folder)
        return folder

    return empty


@pytest.fixture
def undisturbed(folders: Callable[[], Path]) -> Trip:
    return finish(folders())


def _killed_and_finished(folder: Path, victim: Victim, expected: Trip) -> str:
    """Kill it, let this process finish, compare; returns where the kill landed."""
    landed = victim.kill()
    if victim.kept:
        assert history(folder)[: victim.kept] == expected.steps[: victim.kept]
    assert finish(folder) == expected
    return landed


#: kind of place -> lines of the victim at which it is killed; an action says one before its work and one after it
PLACES = {
    "action": ["action:1", "action:2", "action:8", "action:11", "action:12"],
    "commit": [
        "commit CREATE TABLE workflows:1",
        "commit INSERT INTO starts:1",
        "commit INSERT INTO steps:3",
        "commit UPDATE agents SET:7",
        "commit INSERT INTO keys:2",
        "commit now:12",
    ],
    "between": ["between:3", "kept 5:1"],
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_kill_inside_of_one_loses_nothing(folders: Callable[[], Path], undisturbed: Trip, kind: str) -> None:
    for place in PLACES[kind]:
        folder = folders()
        assert _killed_and_finished(folder, Victim(folder, halt=place), undisturbed) == kind


def test_nor_does_a_kill_at_a_random_moment(folders: Callable[[], Path], undisturbed: Trip) -> None:
    landed: Counter[str] = Counter()
    moments = random.Random(7)  # noqa: S311 - it is no secret
    for _ in range(KILLS):
        folder = folders()
        victim = Victim(folder)
        victim.listen_to(moments.randrange(1, 120))
        landed[_killed_and_finished(folder, victim, undisturbed)] += 1
    print(f"kills landed: {dict(landed)}")  # noqa: T201 - shown by `pytest -rP`
    assert landed.total() == KILLS


def test_the_command_line_goes_on_where_a_killed_process_was(folders: Callable[[], Path], undisturbed: Trip) -> None:
    folder = folders()
    halted(folder, "travel", 4).kill()
    resumed = command(folder, "--json", "--module", gallery.__name__, "resume", ID)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert json.loads(resumed.stdout)["state"] == "waiting_feedback.airport"
    assert finish(folder) == undisturbed


def test_of_two_that_resume_one_drives_and_the_other_says_who_does(
    folders: Callable[[], Path], undisturbed: Trip
) -> None:
    folder = folders()
    halted(folder, "travel", 3).kill()
    driver = halted(folder, "resume", 1)
    refused = command(folder, "resume", ID)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"agent 'trip' is driven by process {driver.process.pid} on " in refused.stderr
    assert driver.end() == 0
    assert finish(folder) == undisturbed
