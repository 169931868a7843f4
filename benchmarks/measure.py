"""Interleaved timing: all who are compared take turns, so that what slows the machine slows everybody."""

from __future__ import annotations

import statistics
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One line of RESULTS.md. Without a ``bar`` nothing is met or missed; without a ``ratio`` nothing was measured."""

    work: str
    bar: str
    ratio: float | None
    is_met: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Medians of two interleaved measurements, in seconds."""

    subject: float
    yardstick: float


@dataclass(slots=True)
class Turns:
    """Medians of all that took turns, in seconds, and why some gave up."""

    medians: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def interleave(subject: Callable[[], float], yardstick: Callable[[], float], *, runs: int) -> Pair:
    """Call both in turn, once to warm up and then ``runs`` times; each returns the seconds that count."""
    subject(), yardstick()
    pairs = [(subject(), yardstick()) for _ in range(runs)]
    return Pair(statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs))


def take_turns(all_of_them: Mapping[str, Callable[[], float]], *, runs: int) -> Turns:
    """Like ``interleave`` with any number; one that raises is out, and the others go on without it."""
    turns = Turns()
    seconds: dict[str, list[float]] = {name: [] for name in all_of_them}
    for turn in range(runs + 1):
        for name, work in all_of_them.items():
            if name in turns.reasons:
                continue
            try:
                took = work()
            except Exception as error:
                turns.reasons[name] = reason(error)
                continue
            if turn:
                seconds[name].append(took)
    turns.medians = {name: statistics.median(took) for name, took in seconds.items() if name not in turns.reasons}
    return turns


def attempt(what: str, work: Callable[[], list[Row]]) -> list[Row]:
    """The rows of one measurement, or one that says why there are none: a long run does not end for it."""
    try:
        return work()
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return [Row(what, "", None, None, reason(error))]


def reason(error: BaseException) -> str:
    """In one line that a cell of a table can hold."""
    words = " ".join(f"{type(error).__name__}: {error}".split()).replace("|", "/")
    return words if len(words) <= 200 else f"{words[:197]}..."


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def at_least(work: str, bar: float | None, ratio: float, detail: str) -> Row:
    """Without a bar it is noted."""
    return noted(work, ratio, detail) if bar is None else Row(work, f">= {bar:g}", ratio, ratio >= bar, detail)


def at_most(work: str, bar: float | None, ratio: float, detail: str) -> Row:
    """Without a bar it is noted."""
    return noted(work, ratio, detail) if bar is None else Row(work, f"<= {bar:g}", ratio, ratio <= bar, detail)


def noted(work: str, ratio: float | None, detail: str) -> Row:
    """A figure for which there is no bar."""
    return Row(work, "", ratio, None, detail)
