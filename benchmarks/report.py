"""RESULTS.md: sections by name, of which each run writes its own and keeps the others."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.measure import Row

DECISION: Final = "Where state may live"
BARS: Final = "What the promises cost"
PEERS: Final = "Beside other libraries"
MILLION: Final = "A million waiting agents"
WORKERS: Final = "Workers"
SCALE: Final = "What a step costs"
SIMULATION: Final = "Workers in a simulation"
#: written by hand
MISSED: Final = "Bars that are missed"
#: in this order
SECTIONS: Final = (DECISION, BARS, PEERS, MILLION, WORKERS, SCALE, SIMULATION, MISSED)

_LIBRARIES: Final = ("apsw", "psycopg", "redis", "transitions", "cel-expr-python")


def read_sections(path: Path) -> dict[str, str]:
    """What stands under each heading of the page that is there."""
    text = path.read_text() if path.exists() else ""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def page(sections: Mapping[str, str], *, runs: int) -> str:
    """The whole page; what was never measured says so."""
    bodies = "\n\n".join(f"## {name}\n\n{sections.get(name) or 'Not measured yet.'}" for name in SECTIONS)
    return f"""# Results

Written by `make bench`: medians of at least {runs} interleaved runs - all who are compared take turns on the same
servers, so what slows the machine slows everybody; what is weighed is weighed once. **A ratio tells more than a
figure**: figures are those of one machine. Agents carry about 500 B of data, and every promise is on: guards,
validation, history, compare-and-set.

{_environment()}

{bodies}
"""


def _environment() -> str:
    libraries = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; {libraries}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"


def bars(groups: Sequence[tuple[str, str, Sequence[Row]]]) -> str:
    """A table for each group: its title, what is to be said of it, its rows."""
    return "\n\n".join(f"### {title}\n\n{said}\n\n{rows_table(rows)}" for title, said, rows in groups)


def rows_table(rows: Sequence[Row]) -> str:
    lines = "\n".join(_line(row) for row in rows)
    return f"| work | bar | ratio | | measured |\n|---|---|---|---|---|\n{lines}"


def _line(row: Row) -> str:
    ratio = "-" if row.ratio is None else f"**{row.ratio:.2f}**"
    verdict = {None: "", True: "met", False: "missed"}[row.is_met]
    return f"| {row.work} | {row.bar} | {ratio} | {verdict} | {row.detail} |"
