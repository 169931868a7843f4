"""The plots that the README shows, drawn from RESULTS.md: ``python -m benchmarks.plots`` draws them afresh.

The page is the only place of the figures, so a plot cannot say anything else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.bar_chart import Bar, Scale, bar_chart
from benchmarks.line_chart import Lines, Point, axis, line_chart
from benchmarks.peers.compared import CONVERSATION, STEPS
from benchmarks.simulation.section import BACKLOG, STARTS

RESULTS: Final = Path(__file__).with_name("RESULTS.md")

_PER_SECOND: Final = re.compile(r"([\d,]+)/s")
_MEGABYTES: Final = re.compile(r"([\d,.]+) MB")
#: What the tables call the raw statements.
_BY_HAND: Final = "statements by hand"


def drawn(page: Path) -> dict[Path, str]:
    """Each plot of a page, by the file that it belongs to; none of what is not measured yet."""
    peers = report.read_sections(page).get(report.PEERS, "")
    simulation = report.read_sections(page).get(report.SIMULATION, "")
    plots = {
        "steps.svg": _steps(peers),
        "conversation.svg": _conversation(peers),
        "simulated_throughput.svg": _simulated_throughput(simulation),
        "simulated_wake.svg": _simulated_wake(simulation),
    }
    return {page.with_name(name): plot for name, plot in plots.items() if plot}


def _steps(peers: str) -> str:
    """Everybody's steps per second, as configured best."""
    panels: dict[str, list[Bar]] = {}
    for row in _table(peers, STEPS):
        if "as shipped" not in row["backend"]:
            cells = {_BY_HAND if name == "raw" else name: cell for name, cell in row.items()}
            panels[row["backend"]] = list(_bars(cells, _PER_SECOND, lambda value: f"{value:,.0f}"))
    if not any(panels.values()):
        return ""
    return bar_chart(
        "Durable steps per second, one agent",
        "More is better. Each step is on disk before the next begins; all take turns on the same servers.",
        panels,
        _linear(max(bar.value for bars in panels.values() for bar in bars)),
    )


def _conversation(peers: str) -> str:
    """What the longest conversation takes, in the first backend."""
    row = next(iter(_table(peers, CONVERSATION)), None)
    bars = list(_bars(row, _MEGABYTES, lambda value: f"{value:,.{2 if value < 10 else 0}f} MB")) if row else []
    if row is None or not bars:
        return ""
    decades = range(math.floor(math.log10(min(bar.value for bar in bars))), 5)
    high = max(bar.value for bar in bars)
    ticks = [(10.0**decade, _size(10.0**decade)) for decade in decades if 10.0**decade <= high * 2]
    return bar_chart(
        f"What a conversation of {row['messages']} messages takes on disk",
        f"Less is better; each line is ten times the one before. {row['backend']}, messages of 200 B, one a step.",
        {row["backend"]: bars},
        Scale(ticks[0][0], max(high, ticks[-1][0]), ticks, is_log=True),
    )


def _simulated_throughput(simulation: str) -> str:
    """A line for each number of agents."""
    lines: dict[str, list[Point]] = {}
    for row in _table(simulation, BACKLOG):
        lines.setdefault(f"{row['agents']} agents", []).append((_number(row["workers"]), _number(row["agents/s"])))
    return _line_chart(
        "Agents a second, simulated",
        "More is better. All agents are due at once; the database has 8 cores. Both axes are logarithmic.",
        lines,
        ("worker processes", "agents a second"),
    )


def _simulated_wake(simulation: str) -> str:
    """Two lines for agents that are started, few a second and many."""
    rows = list(_table(simulation, STARTS))
    lines: dict[str, list[Point]] = {}
    for row in rows:
        rate = row["starts/s"]
        if rate in (rows[0]["starts/s"], rows[-1]["starts/s"]):
            for figure in ("p50", "p99"):
                point = (_number(row["workers"]), _number(row[f"wait {figure}"]))
                lines.setdefault(f"{figure}, {rate} starts/s", []).append(point)
    return _line_chart(
        "From a start to its action in ms, simulated",
        "Less is better. Another process starts agents and rings. Both axes are logarithmic.",
        lines,
        ("worker processes", "milliseconds"),
    )


def _line_chart(title: str, note: str, lines: Lines, axes: tuple[str, str]) -> str:
    if not lines:
        return ""
    across, up = (
        axis(name, [point[place] for points in lines.values() for point in points]) for place, name in enumerate(axes)
    )
    return line_chart(title, note, lines, across, up)


def _number(cell: str) -> float:
    return float(cell.removesuffix(" ms").replace(",", ""))


def _table(peers: str, title: str) -> Iterator[Mapping[str, str]]:
    """The rows of the table under a heading, by the names of its columns."""
    _, _, after = peers.partition(f"### {title}\n")
    lines = [line for line in after.partition("\n### ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for row in cells[2:]:
        yield dict(zip(cells[0], row, strict=True))


def _bars(row: Mapping[str, str], figure: re.Pattern[str], word: Callable[[float], str]) -> Iterator[Bar]:
    """One for each cell that has a figure of this kind."""
    for name, cell in row.items():
        if found := figure.search(cell):
            value = float(found[1].replace(",", ""))
            yield Bar(name, value, word(value))


def _linear(most: float) -> Scale:
    """From nothing to the most, with four or five lines at round figures."""
    step = next(size for size in _rounds() if most / size <= 5)
    ticks: Sequence[float] = [step * number for number in range(int(most // step) + 1)]
    return Scale(0, most, [(tick, f"{tick:,.0f}") for tick in ticks])


def _rounds() -> Iterator[float]:
    for decade in range(12):
        yield from (1.0 * 10**decade, 2.0 * 10**decade, 5.0 * 10**decade)


def _size(megabytes: float) -> str:
    if megabytes >= 1_000:
        return f"{megabytes / 1_000:,.0f} GB"
    return f"{megabytes:,.0f} MB" if megabytes >= 1 else f"{megabytes * 1_000:,.0f} KB"


if __name__ == "__main__":
    for path, plot in drawn(RESULTS).items():
        path.write_text(plot)
        print(f"drew {path.name}")
