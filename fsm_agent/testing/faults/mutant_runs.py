"""Whether the checker finds a broken store out. One that it does not is a hole in the proof of all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from fsm_agent.testing.faults.checker import Broken
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import SQLITE, prove

#: The promises that a mutant gives itself away by; a writer that cannot even begin proves nothing.
_GIVING_AWAY: Final = ("atomic step", "linear history", "intake", "no silent loss", "single writer")
#: How many runs a mutant may get through before it has got away.
_ROUNDS: Final = 12


class Catch(NamedTuple):
    """What became of a mutant; ``broken`` is what gave it away."""

    name: str
    runs: int
    broken: tuple[Broken, ...]

    def __str__(self) -> str:
        says = f"mutant {self.name} ({MUTANTS[self.name].says})"
        if not self.broken:
            return f"{says}: NOT CAUGHT in {self.runs} runs"
        rules = ", ".join(sorted({each.rule for each in self.broken}))
        return f"{says}: caught in run {self.runs}, by {rules}"


def catch(name: str, *, seconds: float, seed: int) -> Catch:
    """Torment a mutant, each time with another seed, until it breaks a promise."""
    for number in range(1, _ROUNDS + 1):
        [verdict] = prove([SQLITE], seconds=seconds, seed=seed + number, mutant=name)
        broken = tuple(each for promise in _GIVING_AWAY for each in verdict.promises[promise].broken)
        if broken:
            return Catch(name, number, broken)
    return Catch(name, _ROUNDS, ())


def catch_all(*, seconds: float, seed: int, say: Callable[[str], None]) -> Iterator[Catch]:
    """Every mutant in turn."""
    for name in MUTANTS:
        caught = catch(name, seconds=seconds, seed=seed)
        say(str(caught))
        yield caught
