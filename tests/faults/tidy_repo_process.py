"""A process that will be killed while it runs ``tidy_repo``.

    python -m tests.faults.tidy_repo_process FOLDER

FOLDER holds the untidy files and the database. Besides the lines of ``flight_process`` it prints ``ruff`` before each
run of ruff, ``replace`` before a file is replaced, and ``replaced`` after that.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import apsw

from examples.tidy_repo import actions
from examples.tidy_repo.linter import Ruff
from fsm_agent import Runner, Workflow, open_store
from fsm_agent.domain.agent import Agent
from tests.support.untidy_repo import SELECT

from .flight_booking import ROOT
from .flight_process import announce_statements, say

ID = "tidy"


async def tidy(runner: Runner, folder: Path) -> Agent:
    """Do all that a person does, and go on with what was interrupted; each call has a key, so it may be repeated."""
    workflow = Workflow.load(ROOT / "workflows" / "tidy_repo.yaml")
    data = {"select": SELECT, "report": "tidied.md"}
    await runner.start(workflow, "tidy", {"folder": str(folder / "mess")}, data=data, id=ID, key="go")
    for number, choice in enumerate(("apply", "skip", "skip_all")):
        await runner.resume(ID)
        await runner.answer(ID, {"choice": choice}, key=f"answer-{number}")
    return await runner.resume(ID)


async def finish(folder: Path) -> Agent:
    """Start the agent or go on with it."""
    store = open_store(f"sqlite:///{folder}/tidy.db")
    async with Runner(store, modules=[actions.__name__]) as runner:
        return await tidy(runner, folder)


def tell_of_files(folder: Path) -> None:
    """Print a line before and after a file is replaced, and note which file replaced which."""
    replace, run = Path.replace, Ruff._run

    def replaced(self: Path, target: Path) -> Path:
        say("replace")
        done = replace(self, target)
        with (folder / "replaced.txt").open("a") as file:
            file.write(f"{target.name} {self.name}\n")
        say("replaced")
        return done

    def ran(self: Ruff, *words: str, **content: Any) -> bytes:
        say("ruff")
        return run(self, *words, **content)

    Path.replace, Ruff._run = replaced, ran  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    apsw.connection_hooks.append(announce_statements)
    tell_of_files(Path(sys.argv[1]))
    asyncio.run(finish(Path(sys.argv[1]).resolve()))
