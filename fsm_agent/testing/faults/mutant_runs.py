"""Runs against mutants: does the checker catch each of them? If it does not, it proves less than it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from fsm_agent.testing.faults.checker import Broken
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import SQLITE, prove

#: The promises that a mutant can break. A mutant whose writers cannot even start breaks others, which proves nothing.
_PROMISES: Final = (
    "atomic step",
    "linear history",
    "intake",
    "lists have everybody who belongs to them",
    "no silent loss",
    "nobody is driven twice at once, nobody starves",
    "single writer",
)
#: How many runs there are, at most, before a mutant counts as not caught.
_MOST_RUNS: Final = 12


class MutantResult(NamedTuple):
    """What became of a mutant; ``broken`` are the rules that caught it."""

    name: str
    runs: int
    broken: tuple[Broken, ...]

    def __str__(self) -> str:
        mutant = f"mutant {self.name} ({MUTANTS[self.name].description})"
        if not self.broken:
            return f"{mutant}: NOT CAUGHT in {self.runs} runs"
        rules = ", ".join(sorted({each.rule for each in self.broken}))
        return f"{mutant}: caught in run {self.runs}, by {rules}"


def run_mutant(name: str, *, seconds: float, seed: int) -> MutantResult:
    """Run a mutant under faults until it breaks a promise, each time with another seed."""
    for number in range(1, _MOST_RUNS + 1):
        [verdict] = prove([SQLITE], seconds=seconds, seed=seed + number, mutant=name)
        broken = tuple(each for promise in _PROMISES for each in verdict.promises[promise].broken)
        if broken:
            return MutantResult(name, number, broken)
    return MutantResult(name, _MOST_RUNS, ())


def run_mutants(*, seconds: float, seed: int, echo: Callable[[str], None]) -> Iterator[MutantResult]:
    """Every mutant in turn."""
    for name in MUTANTS:
        result = run_mutant(name, seconds=seconds, seed=seed)
        echo(str(result))
        yield result
