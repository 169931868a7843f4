"""A process that will be killed: it executes the effects of a payment, which are noted in a file.

    python -m tests.faults.payment_process FOLDER

Besides the lines of ``flight_process`` it prints ``do`` before each execution and ``done`` after it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import apsw

from fsm_agent import Runner, open_store
from fsm_agent.domain.agent import Agent

from . import payment
from .crash_points import CrashPoints
from .flight_process import announce_statements, say


class FileService(payment.PaymentService):
    """Notes each execution as a line of a file, which survives the process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(CrashPoints(lambda point: False))
        self._file = folder / "calls.txt"
        self.done = Counter(self._told())

    def _told(self) -> list[tuple[str, str]]:
        text = self._file.read_text() if self._file.exists() else ""
        told = (line.rpartition(" ") for line in text.splitlines())
        return [(what, key) for what, _, key in told]

    def do(self, what: str, *, idempotency_key: str) -> dict[str, Any]:
        say("do")
        with self._file.open("a") as file:
            file.write(f"{what} {idempotency_key}\n")
        say("done")
        return super().do(what, idempotency_key=idempotency_key)


async def pay(folder: Path) -> Agent:
    """Start the payment or go on with it."""
    service = FileService(folder)
    async with Runner(open_store(f"sqlite:///{folder}/payment.db"), actions=payment.actions(service)) as runner:
        return await payment.run_payment(runner, service)


if __name__ == "__main__":
    os.environ.setdefault("HALT", "nowhere:0")
    apsw.connection_hooks.append(announce_statements)
    asyncio.run(pay(Path(sys.argv[1])))
