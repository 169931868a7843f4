"""The process whose instructions are counted: ``python -m benchmarks.counted``, started by ``instructions``.

Each run is a fork of a process in which everything is imported and has been done once: they begin alike to the last
instruction, and what takes long, the start, is waited for once.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.bare import bare_triggers
from benchmarks.steps import drive_one, open_memory
from fsm_agent.stores.sqlite.group_commit import Pace
from fsm_agent.stores.sqlite.store import SqliteStore

BARE: Final = "a bare trigger"
MEMORY: Final = "a step in memory"
SQLITE: Final = "a step in SQLite"
#: Of two runs the difference is taken; the more steps, the less it weighs what happens only once in a while.
FEW: Final = 50
MANY: Final = 250


def _sqlite(steps: int) -> None:
    with TemporaryDirectory(prefix="fsm-bench-") as folder:
        drive_one(lambda: _open_sqlite(Path(folder)), steps)


def _open_sqlite(folder: Path) -> SqliteStore:
    """A store whose commits stay with the loop: valgrind and a busy machine make them slow, and those that are slow go
    to a thread, which takes instructions of its own."""
    store = SqliteStore(folder / "agents.db")
    store._writer._alone = Pace(math.inf)
    return store


SUBJECTS: Final[Mapping[str, Callable[[int], object]]] = {
    BARE: bare_triggers,
    MEMORY: lambda steps: drive_one(open_memory, steps),
    SQLITE: _sqlite,
}


def _forked(subject: str, steps: int) -> int:
    """The id of a process that has taken these steps and nothing else; at its end valgrind says what it counted."""
    child = os.fork()
    if not child:
        SUBJECTS[subject](steps)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"{steps} times {subject}: ended with {status}"
    return child


def main() -> None:
    """A line for each run: which process it was."""
    for subject in SUBJECTS:
        SUBJECTS[subject](2)
    for subject in SUBJECTS:
        for steps in (FEW, MANY):
            print(json.dumps({"subject": subject, "steps": steps, "process": _forked(subject, steps)}), flush=True)


if __name__ == "__main__":
    main()
