"""How many instructions of the processor a step takes. Unlike seconds they do not depend on who else uses the machine.

valgrind counts a run of few steps and one of many; the difference belongs to the steps alone. It depends on the version
of Python, and a little on libraries. ``python -m benchmarks.instructions`` prints the figures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from benchmarks.counted import BARE, FEW, MANY, MEMORY, SQLITE, SUBJECTS
from benchmarks.dialogue import ROOT
from benchmarks.measure import Row, at_most

#: The ratios to a bare trigger that were measured, by version of CPython: what a test bounds. Whoever makes a step
#: cheaper writes the new figures here, so that they cannot be lost unseen.
MEASURED: Final[Mapping[tuple[int, int], Mapping[str, float]]] = {
    (3, 11): {MEMORY: 2.30, SQLITE: 3.54},
}
#: A test lets a step cost a tenth more; where nothing was measured, half as much again as elsewhere.
ROOM: Final = 1.1
ROOM_ELSEWHERE: Final = 1.5

#: What takes a second without valgrind takes half a minute with it, and more on a busy machine.
_TIMEOUT_S: Final = 600


def instructions_per_step() -> dict[str, float]:
    """Of each subject. Raises ``FileNotFoundError`` where valgrind is missing."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise FileNotFoundError("valgrind is missing: sh tests/install-system.sh installs it")
    tool = (valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    done = subprocess.run(  # noqa: S603 - a command of our own
        [*tool, sys.executable, "-m", "benchmarks.counted"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},  # what is counted is the same each time
        timeout=_TIMEOUT_S,
    )
    counted = {int(process): int(count.replace(",", "")) for process, count in _COUNT.findall(done.stderr)}
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    counts = {(run["subject"], run["steps"]): counted[run["process"]] for run in runs}
    return {subject: (counts[subject, MANY] - counts[subject, FEW]) / (MANY - FEW) for subject in SUBJECTS}


_COUNT: Final = re.compile(r"==(\d+)== I +refs: +([\d,]+)")


def most(subject: str, version: tuple[int, int] = sys.version_info[:2]) -> float:
    """The bound of the ratio to a bare trigger, in this version of CPython."""
    if version in MEASURED:
        return MEASURED[version][subject] * ROOM
    return max(ratios[subject] for ratios in MEASURED.values()) * ROOM_ELSEWHERE


def counted_rows() -> list[Row]:
    each = instructions_per_step()
    return [
        at_most(
            f"instructions of {subject} against those of a bare trigger",
            round(most(subject), 2),
            each[subject] / each[BARE],
            f"{each[subject]:,.0f} against {each[BARE]:,.0f}",
        )
        for subject in SUBJECTS
        if subject != BARE
    ]


if __name__ == "__main__":
    for row in counted_rows():
        print(f"{row.work}: {row.ratio:.3f} ({row.detail})")
