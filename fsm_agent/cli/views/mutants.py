"""How many small changes of a workflow are noticed, and those that are not: as JSON, and for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fsm_agent.check.mutants import Mutants
from fsm_agent.cli.blocks import Block, Facts, Ink, Tone, visible
from fsm_agent.cli.views import output
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.json import Json


class TriedMutants(NamedTuple):
    """The mutants of a workflow, and those that nobody has noticed, with their places in the file."""

    mutants: Mutants
    survivors: tuple[Finding, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "made": len(self.mutants.all),
            "equivalent": self.mutants.equivalent,
            "by_check": self.mutants.by_check,
            "by_properties": self.mutants.by_properties,
            "survivors": [_survivor_json(finding) for finding in self.survivors],
        }


def _survivor_json(finding: Finding) -> dict[str, Json]:
    place = finding.place
    return {
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "path": list(finding.path),
        "change": finding.message,
    }


def mutant_blocks(title: str, tried: TriedMutants) -> Iterator[Block]:
    mutants = tried.mutants
    same = f" ({mutants.equivalent} more change nothing)" if mutants.equivalent else ""
    rows = [
        ("made", Ink(f"{output.counted(len(mutants.all), 'mutant')}{same}")),
        ("noticed by check", Ink(str(mutants.by_check), Tone.GOOD)),
        ("by properties", Ink(str(mutants.by_properties), Tone.GOOD)),
        ("by nobody", Ink(str(len(mutants.survivors)), Tone.ASKING if mutants.survivors else Tone.GOOD)),
    ]
    yield Facts(f"small changes of {title}", rows)
    if tried.survivors:
        yield Facts(f"what nobody notices in {title}", [_row(finding) for finding in tried.survivors])


def _row(finding: Finding) -> tuple[str, Ink]:
    place = finding.place
    where = "" if place is None else f"{place.line}:{place.column}"
    return where, Ink(visible(finding.message))
