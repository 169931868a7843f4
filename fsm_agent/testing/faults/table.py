"""The truth table of a run, as text: promises down, backends across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm_agent.testing.faults.checker import RULES
from fsm_agent.testing.faults.coverage import REQUIRED, TOLD
from fsm_agent.testing.faults.run import Verdict


def truth_table(verdicts: Sequence[Verdict]) -> str:
    """What held and how often it was seen to, what the faults hit, and whatever is wrong, rule by rule."""
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
    names = [*TOLD, *REQUIRED]
    return [(name, [_count(verdict, name) for verdict in verdicts]) for name in names]


def _count(verdict: Verdict, name: str) -> str:
    if name in verdict.subject.impossible:
        return "-"
    return str(verdict.tally.get(name, 0))


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
    places = ", ".join(f"{place} {times}" for place, times in sorted(verdict.failpoints.items()))
    yield f"{name}: seed {verdict.seed}; failpoints: {places or 'none'}"
    if verdict.subject.is_one_process:
        yield f"{name}: one process, so writers are tasks, and who is killed is dropped between two verbs"
    if verdict.missing:
        yield f"{name}: VACUOUS, since these never happened: {', '.join(verdict.missing)}"
    for checked in verdict.promises.values():
        for broken in checked.broken:
            yield f"{name}: {broken.promise} VIOLATED, {broken.rule}, {broken.times} times"
            yield from (f"    {sentence}" for sentence in broken.told)
