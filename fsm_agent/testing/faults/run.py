"""One run: writers and faults against one store, then the verdict."""

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
from fsm_agent.testing.faults.coverage import failpoints_hit, missing, tallied
from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import read_lives
from fsm_agent.testing.faults.nemesis import Nemesis
from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.places import PLACES
from fsm_agent.testing.faults.recovery import settle
from fsm_agent.testing.faults.servers import ServerControl
from fsm_agent.testing.faults.writer_pool import Herd, ProcessHerd, TaskHerd

_MOMENTS: Final = frozenset(moment for moments in PLACES.values() for moment in moments)


@dataclass(frozen=True)
class Subject:
    """A store to be proven. ``{folder}`` in its URL is a folder of the run's own; ``server`` is what may be killed."""

    name: str
    url: str
    server: ServerControl | None = None

    @property
    def is_one_process(self) -> bool:
        return self.url.startswith("memory:")

    @property
    def impossible(self) -> frozenset[str]:
        """What cannot happen to it."""
        cannot = {"server restarts"} if self.server is None else set()
        if not self.url.startswith("sqlite:"):
            cannot.add("times without disk")
        return frozenset(cannot)


MEMORY: Final = Subject("memory", "memory://")
SQLITE: Final = Subject("sqlite", "sqlite:///{folder}/agents.db")


@dataclass(frozen=True)
class Verdict:
    """What a run proved of a subject, or of a mutant of it."""

    subject: Subject
    seed: int
    promises: dict[str, Checked]
    tally: Counter[str]
    failpoints: Counter[str]
    mutant: str | None = None

    @property
    def missing(self) -> list[str]:
        return missing(self.tally, self.subject.impossible)

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
    """Torment each subject for ``seconds``, one after the other. What was started is stopped, whatever happens."""
    verdicts = []
    for subject in subjects:
        progress(f"{subject.name}: {seconds:.0f} s of faults, seed {seed}{f', mutant {mutant}' if mutant else ''}")
        with _folder() as folder:
            orders = Orders(
                name="",
                url=subject.url.format(folder=folder),
                namespace=f"faults-{seed}",
                folder=str(folder),
                seed=seed,
                mutant=mutant,
            )
            verdicts.append(asyncio.run(_run(subject, orders, seconds, writers)))
    return verdicts


@contextmanager
def _folder() -> Iterator[Path]:
    """Of the run's own; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="fsm-agent-faults-"))
    try:
        for name in ("journals", "world"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder)


async def _run(subject: Subject, orders: Orders, seconds: float, writers: int) -> Verdict:
    clock = SharedClock(orders.clock)
    async with open_store(orders.url, namespace=orders.namespace, clock=clock) as store:
        herd: Herd = TaskHerd(store) if subject.is_one_process else ProcessHerd()
        nemesis = Nemesis(
            herd,
            clock,
            orders,
            writers,
            subject.server,
            fills_disk=orders.is_sqlite,
            moments=_MOMENTS - {"during"} if subject.is_one_process else _MOMENTS,
        )
        try:
            await nemesis.torment(seconds, lambda: _is_enough(subject, orders, nemesis))
        finally:
            await herd.close()
        evidence = await settle(orders, store, clock)
        for name, status in herd.failed.items():
            said = (orders.journals / f"{name}.txt").read_text(errors="replace")
            evidence = evidence.with_trouble(f"writer {name} ended with status {status}: {said[-2_000:]}")
    clock.close()
    tally = tallied(evidence, nemesis.done, nemesis.killed)
    return Verdict(subject, orders.seed, check(evidence), tally, failpoints_hit(evidence), orders.mutant)


def _is_enough(subject: Subject, orders: Orders, nemesis: Nemesis) -> bool:
    """Whether every fault has hit something, as far as journals tell."""
    tally = tallied(Evidence({}, tuple(read_lives(orders.journals))), nemesis.done, nemesis.killed)
    return orders.mutant is not None or not missing(tally, subject.impossible)
