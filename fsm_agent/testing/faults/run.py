"""A run: writers and faults against a store, then the verdict."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults.checker import Checked, check
from fsm_agent.testing.faults.clock import SharedClock
from fsm_agent.testing.faults.coverage import count_hits, failpoints_hit, missing
from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.failpoints import SITES
from fsm_agent.testing.faults.journal import read_logs
from fsm_agent.testing.faults.nemesis import Nemesis, ServerControl
from fsm_agent.testing.faults.recovery import recover
from fsm_agent.testing.faults.writer import WriterSettings
from fsm_agent.testing.faults.writer_pool import ProcessPool, TaskPool, WriterPool

_MOMENTS: Final = frozenset(moment for moments in SITES.values() for moment in moments)


@dataclass(frozen=True)
class Subject:
    """A store to be proven. ``{folder}`` in its URL is a folder that the run makes and removes.

    ``engine`` is the URL of the engine that carries wake-ups, if one does. ``server`` and ``engine_server`` are those
    that the nemesis may kill.
    """

    name: str
    url: str
    server: ServerControl | None = None
    engine: str | None = None
    engine_server: ServerControl | None = None

    @property
    def is_one_process(self) -> bool:
        return self.url.startswith("memory:")

    @property
    def impossible(self) -> frozenset[str]:
        """The required counts that must be 0 for this store."""
        cannot = {"server restarts"} if self.server is None else set()
        if not self.url.startswith("sqlite:"):
            cannot.add("times without disk")
        if self.engine is None:
            cannot |= {"wake-ups lost", "agents woken"}
        if self.engine_server is None:
            cannot.add("engine restarts")
        return frozenset(cannot)


MEMORY: Final = Subject("memory", "memory://")
SQLITE: Final = Subject("sqlite", "sqlite:///{folder}/agents.db")


@dataclass(frozen=True)
class Verdict:
    """What a run proved about a subject, or about a mutant of it."""

    subject: Subject
    seed: int
    promises: dict[str, Checked]
    hits: Counter[str]
    failpoints: Counter[str]
    mutant: str | None = None

    @property
    def missing(self) -> list[str]:
        return missing(self.hits, self.subject.impossible)

    @property
    def holds(self) -> bool:
        return all(not checked.broken for checked in self.promises.values())

    @property
    def is_proven(self) -> bool:
        return self.holds and not self.missing


def prove(
    subjects: Sequence[Subject],
    *,
    seconds: float,
    seed: int,
    mutant: str | None = None,
    writers: int = 3,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Verdict]:
    """Inject faults for ``seconds`` into each subject, one after the other. All processes are stopped in any case."""
    verdicts = []
    for subject in subjects:
        progress(f"{subject.name}: {seconds:.0f} s of faults, seed {seed}{f', mutant {mutant}' if mutant else ''}")
        with _folder() as folder:
            settings = WriterSettings(
                name="",
                url=subject.url.format(folder=folder),
                namespace=f"faults-{seed}",
                folder=str(folder),
                seed=seed,
                engine=subject.engine,
                mutant=mutant,
            )
            verdicts.append(asyncio.run(_run(subject, settings, seconds, writers)))
    return verdicts


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder for one run."""
    folder = Path(tempfile.mkdtemp(prefix="fsm-agent-faults-"))
    try:
        for name in ("journals", "service"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder)


async def _run(subject: Subject, settings: WriterSettings, seconds: float, writers: int) -> Verdict:
    clock = SharedClock(settings.clock)
    async with open_store(settings.url, namespace=settings.namespace, clock=clock) as store:
        pool: WriterPool = TaskPool(store) if subject.is_one_process else ProcessPool()
        nemesis = Nemesis(
            pool,
            clock,
            settings,
            writers,
            subject.server,
            subject.engine_server,
            fills_disk=settings.is_sqlite,
            moments=_MOMENTS - {"during"} if subject.is_one_process else _MOMENTS,
        )
        try:
            await nemesis.run(seconds, lambda: _is_enough(subject, settings, nemesis))
        finally:
            await pool.close()
        evidence = await recover(settings, store, clock)
        for name, status in pool.failed.items():
            output = (settings.journals / f"{name}.txt").read_text(errors="replace")
            evidence = evidence.with_failure(f"writer {name} ended with status {status}: {output[-2_000:]}")
    clock.close()
    hits = count_hits(evidence, nemesis.injected, nemesis.killed)
    return Verdict(subject, settings.seed, check(evidence), hits, failpoints_hit(evidence), settings.mutant)


def _is_enough(subject: Subject, settings: WriterSettings, nemesis: Nemesis) -> bool:
    """Whether every fault has hit something, as far as the journals show."""
    hits = count_hits(Evidence({}, tuple(read_logs(settings.journals))), nemesis.injected, nemesis.killed)
    return settings.mutant is not None or not missing(hits, subject.impossible)
