"""SIGKILL, wherever it lands in a process that tidies a folder: no file is fixed twice, and none is half fixed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fsm_agent import open_store
from tests.support.messy import TIDIED, make_mess, tree

from .effort import IS_LONG
from .test_kill import Victim
from .tidier import ID, finish

KILLS = 40 if IS_LONG else 6


class Tidier(Victim):
    def words(self, deed: str) -> list[str]:
        return ["tests.faults.tidier", "."]


class Ending(NamedTuple):
    """What must be the same, killed or not."""

    output: Any
    fixed: Any
    skipped: Any
    files: dict[str, bytes]
    #: event, from, to
    steps: list[tuple[str, str | None, str]]


def a_mess(tmp_path: Path, number: int) -> Path:
    make_mess(tmp_path / str(number) / "mess")
    return tmp_path / str(number)


def end(folder: Path) -> Ending:
    """This process goes on to the end."""

    async def story() -> list[tuple[str, str | None, str]]:
        async with open_store(f"sqlite:///{folder}/tidy.db") as store:
            assert all(not entry.is_open for entry in await store.effects(ID))
            return [(step.event, step.source, step.target) for step in await store.history(ID)]

    agent = asyncio.run(finish(folder))
    return Ending(agent.output, agent.data["fixed"], agent.data["skipped"], tree(folder / "mess"), asyncio.run(story()))


@pytest.fixture
def undisturbed(tmp_path: Path) -> Ending:
    ending = end(a_mess(tmp_path, 0))
    assert {name: text for name, text in ending.files.items() if name != "tidied.md"} == TIDIED
    return ending


def killed_and_finished(folder: Path, victim: Tidier, expected: Ending) -> str:
    """Kill it, let this process finish, compare; returns where the kill landed."""
    landed = victim.kill()
    halfway = {name: text for name, text in tree(folder / "mess").items() if not Path(name).name.startswith(".")}
    assert all(text for text in halfway.values())
    assert end(folder) == expected
    return landed


def replaced(folder: Path) -> Counter[str]:
    """How often the victim put which content in the place of which file."""
    notes = folder / "replaced.txt"
    return Counter(notes.read_text().splitlines() if notes.exists() else [])


#: kind of place -> lines of the victim at which it is killed
PLACES = {
    "ruff": ["ruff:1", "ruff:3", "ruff:8"],
    "replace": ["replace:1", "replace:3", "replace:5", "replace:6"],
    "replaced": ["replaced:1", "replaced:3", "replaced:5", "replaced:6"],
    "commit": ["commit INSERT OR REPLACE:2", "commit UPDATE effects SET:2", "commit UPDATE effects SET:5"],
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_kill_around_a_fix_leaves_no_file_half_fixed_or_fixed_twice(
    tmp_path: Path, undisturbed: Ending, kind: str
) -> None:
    for number, place in enumerate(PLACES[kind], start=1):
        folder = a_mess(tmp_path, number)
        assert killed_and_finished(folder, Tidier(folder, halt=place), undisturbed) == kind
        assert set(replaced(folder).values()) <= {1}


def test_nor_does_one_at_a_random_moment(tmp_path: Path, undisturbed: Ending) -> None:
    moments = random.Random(5)  # noqa: S311 - it is no secret
    for number in range(1, KILLS + 1):
        folder = a_mess(tmp_path, number)
        victim = Tidier(folder)
        victim.listen_to(moments.randrange(1, 200))
        killed_and_finished(folder, victim, undisturbed)


def test_nor_do_many_kills_one_after_the_other(tmp_path: Path, undisturbed: Ending) -> None:
    folder = a_mess(tmp_path, 1)
    for _ in range(3):
        Tidier(folder, halt="replace:1").kill()
        Tidier(folder, halt="replaced:1").kill()
    assert end(folder) == undisturbed
    assert set(replaced(folder).values()) == {1}
