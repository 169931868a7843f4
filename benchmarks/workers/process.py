"""A process with one worker: ``python -m benchmarks.workers.process``, asked by ``dialogue``."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from benchmarks.serving import serve
from benchmarks.workers.counted import CONFLICTS, CountedRunner
from benchmarks.workers.flow import ACTIONS, DIARY
from benchmarks.workers.sweep import Sweep
from fsm_agent import Worker, open_store

T = TypeVar("T")
#: what drives: the worker as it is, and as it was
TAKES: Final = "takes"
SWEEPS: Final = "sweeps"


class WorkerProcess:
    """The worker lives in a thread, so that it can be asked how far it is."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self, url: str, way: str) -> dict[str, Any]:
        """Connect, so that all processes can begin at once."""
        return self._wait(self._open(url, way))

    def begin(self) -> dict[str, Any]:
        """Drive until ``end``."""
        self._cpu_s = time.process_time()
        self._run = asyncio.run_coroutine_threadsafe(self._work(), self._loop)
        return {}

    def ended(self) -> dict[str, Any]:
        """How many agents have come to their end here."""
        if self._run.done():
            self._run.result()
        return {"agents": len(DIARY.ended)}

    def end(self) -> dict[str, Any]:
        """Stop, and tell what was done."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._run.result()
        return self._wait(self._report())

    async def _open(self, url: str, way: str) -> dict[str, Any]:
        self._runner = CountedRunner(open_store(url), actions=ACTIONS)
        self._stopped = asyncio.Event()
        await self._runner.store.list(limit=1)
        self._worker = Worker(self._runner) if way == TAKES else Sweep(self._runner)
        return {}

    async def _work(self) -> None:
        await self._worker.run(self._stopped)

    async def _report(self) -> dict[str, Any]:
        cpu_s = time.process_time() - self._cpu_s
        await self._runner.close()
        refused = self._worker.refused if isinstance(self._worker, Sweep) else 0
        counts = self._runner.counts
        return {
            "began": DIARY.began,
            "ended": DIARY.ended,
            "actions": DIARY.actions,
            "taken": self._runner.taken,
            "loads": counts["Load"],
            "conflicts": refused + counts[CONFLICTS],
            "cpu": cpu_s,
        }

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


if __name__ == "__main__":
    process = WorkerProcess()
    serve({"open": process.open, "begin": process.begin, "ended": process.ended, "end": process.end})
