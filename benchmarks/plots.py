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
from benchmarks.peers.compared import CONVERSATION, STEPS

RESULTS: Final = Path(__file__).with_name("RESULTS.md")

_PER_SECOND: Final = re.compile(r"([\d,]+)/s")
_MEGABYTES: Final = re.compile(r"([\d,.]+) MB")
#: What the tables call the raw statements.
_BY_HAND: Final = "statements by hand"


def drawn(page: Path) -> dict[Path, str]:
    """Each plot of a page, by the file that it belongs to; none of what is not measured yet."""
    peers = report.read_sections(page).get(report.PEERS, "")
    plots = {"steps.svg": _steps(peers), "conversation.svg": _conversation(peers)}
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
