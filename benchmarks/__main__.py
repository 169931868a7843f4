"""`python -m benchmarks`: measure everything and write RESULTS.md."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.crowds import ten_thousand_waiting
from benchmarks.measure import RUNS, Row
from benchmarks.processes import fresh_processes
from benchmarks.steps import engine_in_memory, hundred_agents, long_conversation, one_agent_durable

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """Returns 0 whether the bars are met or not: a ratio is reported, never asserted."""
    rows: list[Row] = []
    for measure in (engine_in_memory, one_agent_durable, hundred_agents, long_conversation):
        rows += _show(measure())
    rows += _show(ten_thousand_waiting())
    rows += _show(fresh_processes())
    missed = _missed()
    RESULTS.write_text(_page(rows, missed))
    return 0


def _show(measured: Row | list[Row]) -> list[Row]:
    rows = [measured] if isinstance(measured, Row) else measured
    for row in rows:
        print(f"{'met   ' if row.is_met else 'MISSED'} {row.work}: {row.ratio:.2f} (bar {row.bar}); {row.detail}")
    return rows


def _missed() -> str:
    """What was written by hand about missed bars is kept."""
    _, found, text = (RESULTS.read_text() if RESULTS.exists() else "").partition("## Bars that are missed\n")
    return text.strip() if found else "None."


def _page(rows: list[Row], missed: str) -> str:
    table = "\n".join(
        f"| {row.work} | {row.bar} | **{row.ratio:.2f}** | {'met' if row.is_met else 'missed'} | {row.detail} |"
        for row in rows
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("apsw", "transitions", "cel-expr-python"))
    return f"""# Results

Ratios of one run of `make bench`: medians of at least {RUNS} interleaved runs, subject and yardstick taking turns in
one process environment. The yardsticks are the bare minimum: `transitions` alone, raw `apsw` statements with the
same pragmas (WAL, synchronous FULL), `python -c pass` of the same interpreter.

Python {platform.python_version()} on {platform.system()} {platform.machine()}, {libraries}.

| work | bar | ratio | | measured |
|---|---|---|---|---|
{table}

## Bars that are missed

{missed}
"""


if __name__ == "__main__":
    sys.exit(main())
