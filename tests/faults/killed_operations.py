"""Processes that do an operation and are killed by SIGKILL, the first after one write, the second after two, and so on.

    python -m tests.faults.killed_operations OPERATION FOLDER

Each has a database of its own in FOLDER: ``1.db`` and so on. It prints how many were killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from fsm_agent import open_store
from fsm_agent.runtime.scripted.clock import FakeClock

from .crashing_store import CrashingStore, be_killed
from .operations import OPERATIONS, make_runner


async def _run(name: str, file: Path, last: int) -> None:
    async with open_store(f"sqlite:///{file}", clock=FakeClock()) as store:
        await OPERATIONS[name].prepare(make_runner(store))
        await OPERATIONS[name].do(make_runner(CrashingStore(store, last, end=be_killed)))


def main(name: str, folder: Path) -> None:
    for last in count(1):
        child = os.fork()
        if not child:
            asyncio.run(_run(name, folder / f"{last}.db", last))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"{name} failed before its write {last}"
            print(last - 1)  # noqa: T201 - it is what is asked for
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
