"""SIGKILL, wherever it lands in a process that tidies a folder: no file is fixed twice, and none is half fixed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fsm_agent import open_store
from tests.support.hypothesis_settings import IS_LONG
from tests.support.untidy_repo import TIDY_FILES, tree, write_untidy_repo

from .test_kill import KilledProcess
from .tidy_repo_process import ID, finish

KILLS = 40 if IS_LONG else 6


class TidyRepoProcess(KilledProcess):
    def command(self, operation: str) -> list[str]:
        return ["tests.faults.tidy_repo_process", "."]


class Ending(NamedTuple):
    """What must be the same with and without kills."""

    output: Any
    fixed: Any
    skipped: Any
    files: dict[str, bytes]
    #: event, from, to
    steps: list[tuple[str, str | None, str]]


def an_untidy_repo(tmp_path: Path, number: int) -> Path:
    write_untidy_repo(tmp_path / str(number) / "mess")
    return tmp_path / str(number)


def end(folder: Path) -> Ending:
    """Finish in this process."""

    async def story() -> list[tuple[str, str | None, str]]:
        async with open_store(f"sqlite:///{folder}/tidy.db") as store:
            assert all(not entry.is_open for entry in await store.effects(ID))
            return [(step.event, step.source, step.target) for step in await store.history(ID)]

    agent = asyncio.run(finish(folder))
    return Ending(agent.output, agent.data["fixed"], agent.data["skipped"], tree(folder / "mess"), asyncio.run(story()))


@pytest.fixture
def undisturbed(tmp_path: Path) -> Ending:
    ending = end(an_untidy_repo(tmp_path, 0))
    assert {name: text for name, text in ending.files.items() if name != "tidied.md"} == TIDY_FILES
    return ending


def kill_and_finish(folder: Path, process: TidyRepoProcess, expected: Ending) -> str:
    """Kill the process, finish in this one, and compare; returns where the kill landed."""
    landed = process.kill()
    halfway = {name: text for name, text in tree(folder / "mess").items() if not Path(name).name.startswith(".")}
    assert all(text for text in halfway.values())
    assert end(folder) == expected
    return landed


def replaced(folder: Path) -> Counter[str]:
    """How often the process wrote which content to which file."""
    notes = folder / "replaced.txt"
    return Counter(notes.read_text().splitlines() if notes.exists() else [])


#: kind of place -> lines of the process at which it is killed
KILL_POINTS = {
    "ruff": ["ruff:1", "ruff:3", "ruff:8"],
    "replace": ["replace:1", "replace:3", "replace:5", "replace:6"],
    "replaced": ["replaced:1", "replaced:3", "replaced:5", "replaced:6"],
    "commit": ["commit INSERT OR REPLACE:2", "commit UPDATE effects SET:2", "commit UPDATE effects SET:5"],
}


@pytest.mark.parametrize("kind", KILL_POINTS)
def test_a_kill_around_a_fix_leaves_no_file_half_fixed_or_fixed_twice(
    tmp_path: Path, undisturbed: Ending, kind: str
) -> None:
    for number, point in enumerate(KILL_POINTS[kind], start=1):
        folder = an_untidy_repo(tmp_path, number)
        assert kill_and_finish(folder, TidyRepoProcess(folder, halt=point), undisturbed) == kind
        assert set(replaced(folder).values()) <= {1}


def test_nor_does_one_at_a_random_moment(tmp_path: Path, undisturbed: Ending) -> None:
    moments = random.Random(5)  # noqa: S311 - it is no secret
    for number in range(1, KILLS + 1):
        folder = an_untidy_repo(tmp_path, number)
        process = TidyRepoProcess(folder)
        process.listen_to(moments.randrange(1, 200))
        kill_and_finish(folder, process, undisturbed)


def test_nor_do_many_kills_one_after_the_other(tmp_path: Path, undisturbed: Ending) -> None:
    folder = an_untidy_repo(tmp_path, 1)
    for _ in range(3):
        TidyRepoProcess(folder, halt="replace:1").kill()
        TidyRepoProcess(folder, halt="replaced:1").kill()
    assert end(folder) == undisturbed
    assert set(replaced(folder).values()) == {1}
