"""The truth table of a run, as text: promises down, backends across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm_agent.testing.faults.checker import RULES
from fsm_agent.testing.faults.coverage import OPTIONAL, REQUIRED
from fsm_agent.testing.faults.run import Verdict


def truth_table(verdicts: Sequence[Verdict]) -> str:
    """How often each promise held, what the faults hit, and every violation."""
    cells = [(promise, [_cell(verdict, promise) for verdict in verdicts]) for promise in RULES]
    lines = _columns("promise", verdicts, cells)
    lines += ["", *_columns("what the faults hit", verdicts, _counts(verdicts))]
    for verdict in verdicts:
        lines += ["", *_remarks(verdict)]
    return "\n".join(lines)


def _cell(verdict: Verdict, promise: str) -> str:
    checked = verdict.promises[promise]
    if checked.broken:
        return f"VIOLATED {checked.times_broken}"
    return f"holds {checked.held}" if checked.held else "not seen"


def _counts(verdicts: Sequence[Verdict]) -> list[tuple[str, list[str]]]:
    names = [*OPTIONAL, *REQUIRED]
    return [(name, [_count(verdict, name) for verdict in verdicts]) for name in names]


def _count(verdict: Verdict, name: str) -> str:
    if name in verdict.subject.impossible:
        return "-"
    return str(verdict.hits.get(name, 0))


def _columns(title: str, verdicts: Sequence[Verdict], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    table = [(title, [verdict.subject.name for verdict in verdicts]), *rows]
    first = max(len(name) for name, _ in table)
    widths = [max(len(cells[column]) for _, cells in table) for column in range(len(verdicts))]
    lines = [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
        for name, cells in table
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _remarks(verdict: Verdict) -> Iterator[str]:
    name = verdict.subject.name
    failpoints = ", ".join(f"{failpoint} {times}" for failpoint, times in sorted(verdict.failpoints.items()))
    yield f"{name}: seed {verdict.seed}; failpoints: {failpoints or 'none'}"
    if verdict.subject.is_one_process:
        yield f"{name}: one process, so writers are tasks; a kill ends a task between two verbs of the store"
    if verdict.missing:
        yield f"{name}: VACUOUS, because these never happened: {', '.join(verdict.missing)}"
    for checked in verdict.promises.values():
        for broken in checked.broken:
            yield f"{name}: {broken.promise} VIOLATED, {broken.rule}, {broken.times} times"
            yield from (f"    {example}" for example in broken.examples)
