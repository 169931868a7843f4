"""Interleaved timing: subject and yardstick take turns, so that what slows the machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

RUNS = 9


@dataclass(frozen=True, slots=True)
class Row:
    """One line of RESULTS.md."""

    work: str
    bar: str
    ratio: float
    is_met: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Medians of two interleaved measurements, in seconds."""

    subject: float
    yardstick: float


def interleave(subject: Callable[[], float], yardstick: Callable[[], float], *, runs: int = RUNS) -> Pair:
    """Call both in turn, once to warm up and then ``runs`` times; each returns the seconds that count."""
    subject(), yardstick()
    pairs = [(subject(), yardstick()) for _ in range(runs)]
    return Pair(statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def timed_async(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def at_least(work: str, bar: float, ratio: float, detail: str) -> Row:
    return Row(work, f">= {bar:g}", ratio, ratio >= bar, detail)


def at_most(work: str, bar: float, ratio: float, detail: str) -> Row:
    return Row(work, f"<= {bar:g}", ratio, ratio <= bar, detail)
