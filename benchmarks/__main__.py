"""`python -m benchmarks`: measure everything and write RESULTS.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks import decision, plots, report
from benchmarks.measure import Row, attempt, reason
from benchmarks.peers import compared
from benchmarks.peers.contenders import PYTHON
from benchmarks.places import Places, open_places
from benchmarks.plan import Group, all_groups, quick_groups, worker_groups
from benchmarks.sizes import FULL, SMALL_SCALE, SMOKE, Sizes

_BEGAN: Final = time.monotonic()
SMALL: Final = "small"
RESULTS: Final = Path(__file__).with_name("RESULTS.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 whether the bars are met or not: a ratio is reported, never asserted."""
    said = _parse(arguments)
    sizes = SMOKE if said.smoke else FULL
    if said.scale == SMALL:
        sizes = SMALL_SCALE
    if said.simulation:
        _write(said.output, {report.SIMULATION: partial(measure_simulation, sizes)}, sizes)
        return 0
    with open_places() as places:
        if said.scale == SMALL:
            print(measure_scale(places, sizes))
        elif said.quick:
            print(measure_bars(quick_groups(places, sizes)))
        else:
            _write(said.output, _measures(said, places, sizes), sizes)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="print the rows that tell the speed of a step; write nothing"
    )
    parser.add_argument("--smoke", action="store_true", help="as little as can be, to see that everything runs")
    parser.add_argument("--million", action="store_true", help="only the million waiting agents, which are kept")
    parser.add_argument("--workers", action="store_true", help="only the worker processes")
    parser.add_argument(
        "--scale", choices=(SMALL, "full"), help="only what a step costs: a little on the terminal, or in full"
    )
    parser.add_argument("--simulation", action="store_true", help="only workers in virtual time, without any server")
    parser.add_argument("--peers", type=Path, default=PYTHON, help="the interpreter of the environment of the peers")
    parser.add_argument("--output", type=Path, help="the page that is written, with its plots beside it")
    said = parser.parse_args(arguments)
    if said.smoke and not said.quick and said.output is None:
        parser.error("figures of --smoke mean nothing: --output says which page they are written to")
    said.output = said.output or RESULTS
    return said


#: how the sections of a page are measured
_Measures: TypeAlias = dict[str, Callable[[], str]]


def _measures(said: argparse.Namespace, places: Places, sizes: Sizes) -> _Measures:
    """What was asked for; if it was nothing special, all but the parts that are measured by themselves."""
    if said.million:
        return {report.MILLION: partial(_measure_million, places, sizes)}
    if said.workers:
        return {report.WORKERS: lambda: measure_bars(worker_groups(places, sizes))}
    if said.scale:
        return {report.SCALE: partial(measure_scale, places, sizes)}
    return {
        report.BARS: lambda: measure_bars(all_groups(places, sizes)),
        report.PEERS: partial(measure_peers, places, sizes, said.peers),
        report.DECISION: partial(measure_patterns, places, sizes),
    }


def _write(page: Path, measures: _Measures, sizes: Sizes) -> None:
    """Section by section, so that a run that is cut leaves what it has measured."""
    sections = report.read_sections(page)
    for section, measure in measures.items():
        sections[section] = measure()
        page.write_text(report.page(sections, runs=sizes.runs))
    for path, plot in plots.drawn(page).items():
        path.write_text(plot)


def _measure_million(places: Places, sizes: Sizes) -> str:
    from benchmarks.million import million_section

    return million_section(places, sizes)


def measure_scale(places: Places, sizes: Sizes) -> str:
    from benchmarks.scale import scale_section

    return scale_section(places, sizes)


def measure_simulation(sizes: Sizes) -> str:
    from benchmarks.simulation.section import simulation_section

    return _told(simulation_section(sizes))


def measure_bars(groups: Sequence[Group]) -> str:
    measured = []
    for title, said, measures in groups:
        rows: list[Row] = []
        for each in measures:
            rows += _show(attempt(each.name, each.rows))
        measured.append((title, said, rows))
    return report.bars(measured)


def _show(rows: list[Row]) -> list[Row]:
    for row in rows:
        verdict = {None: "", True: "met", False: "MISSED"}[row.is_met]
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        print(f"{_clock()} {verdict:6} {row.work}: {ratio} (bar {row.bar or '-'}); {row.detail}", flush=True)
    return rows


def measure_patterns(places: Places, sizes: Sizes) -> str:
    patterns = decision.patterns(places)
    figures = decision.measured(patterns, sizes)
    speed = _told(decision.speed_table(patterns, figures, sizes))
    return f"{speed}\n\n{decision.promise_table(patterns)}\n\n{decision.words(sizes)}"


def measure_peers(places: Places, sizes: Sizes, python: Path) -> str:
    comparing = compared.Comparing(places, sizes, python, compared.Notes())
    parts = []
    for title, said, make in compared.tables(sizes):
        try:
            table = make(comparing)
        except Exception as error:
            table = f"Not measured: {reason(error)}"
        parts.append(f"### {title}\n\n{said}\n\n{_told(table)}")
    notes = comparing.notes.text()
    return "\n\n".join([compared.INTRODUCTION, *parts, *([notes] if notes else [])])


def _told(table: str) -> str:
    print(f"{_clock()}\n{table}", flush=True)
    return table


def _clock() -> str:
    return f"{time.monotonic() - _BEGAN:6.0f} s"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    sys.exit(main())
