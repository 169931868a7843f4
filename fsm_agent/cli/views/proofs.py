"""What was found about the properties of workflows: as JSON, and for a person."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.views import output
from fsm_agent.cli.views.mutants import TriedMutants, mutant_blocks
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.model import Kind
from fsm_agent.proof.verdicts import Outcome, PathStep, Proof, Verdict
from fsm_agent.runtime.scripted.counterexample import Counterexample
from fsm_agent.runtime.scripted.moves import Move

_LOOKS: Final = {
    Outcome.PROVED: (Tone.GOOD, "✓"),
    Outcome.VIOLATED: (Tone.BAD, "✗"),
    Outcome.OPEN: (Tone.ASKING, "?"),
}
#: what makes a step, before the name of its event
_CAUSES: Final = {
    Kind.ACTION: "its action names",
    Kind.FAILURE: "its action ends with",
    Kind.TIMER: "the time has come:",
    Kind.OUTSIDE: "somebody sends",
    Kind.CANCEL: "somebody sends",
    Kind.PARK: "it is parked after",
    Kind.UNPARK: "an operator lets it go on after",
}


class WrittenTest(NamedTuple):
    """The test that shows how a property is broken."""

    path: str
    #: whether it took the place of an earlier one
    is_again: bool


class Proven(NamedTuple):
    """A workflow of a file, and what was found about its properties."""

    file: Path
    #: the names by which it stands within the workflow of the file; none for that itself
    child: tuple[str, ...]
    workflow: Workflow
    proof: Proof
    #: property -> how an agent breaks it, on the real engine
    found: Mapping[str, Counterexample]
    #: the properties that nothing can break, since what they speak of never happens
    vacuous: Collection[str]
    #: property -> the test that was written
    tests: Mapping[str, WrittenTest]
    #: property -> the picture that was written
    diagrams: Mapping[str, str]
    #: what becomes of small changes, if that was asked
    mutants: TriedMutants | None = None

    @property
    def title(self) -> str:
        """Its name, and within which file it stands if that has another workflow."""
        return f"{self.workflow.name} ({'.'.join(self.child)} of {self.file})" if self.child else self.workflow.name

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.workflow.name,
            "file": str(self.file),
            "child": list(self.child),
            "states": self.proof.states,
            "complete": self.proof.is_complete,
            "assumptions": list(self.proof.assumptions),
            "must": [self._verdict(verdict) for verdict in self.proof.verdicts],
            "mutants": None if self.mutants is None else self.mutants.to_json(),
        }

    def _verdict(self, verdict: Verdict) -> dict[str, Json]:
        name = verdict.name
        found, test = self.found.get(name), self.tests.get(name)
        return {
            **_verdict_json(verdict),
            "vacuous": name in self.vacuous,
            "moves": None if found is None else list(map(repr, found.life.given)),
            "again": [] if found is None else list(map(repr, found.round)),
            "test": None if test is None else test.path,
            "diagram": self.diagrams.get(name),
        }


def _verdict_json(verdict: Verdict) -> dict[str, Json]:
    return {
        "name": verdict.name,
        "verdict": str(verdict.outcome),
        "path": [_step_json(step) for step in verdict.path],
        "cycle": [_step_json(step) for step in verdict.cycle],
        "why": verdict.why,
        "assumptions": list(verdict.assumptions),
    }


def _step_json(step: PathStep) -> dict[str, Json]:
    known: dict[str, Json] = {name: list(examples) for name, examples in step.known.items()}
    return {"state": step.source, "to": step.target, "kind": str(step.kind), "event": step.event, "known": known}


def proof_blocks(all_proven: Sequence[Proven]) -> Iterator[Block]:
    """The verdicts of each workflow, and then what all of them assume."""
    for proven in all_proven:
        yield from _blocks(proven)
    proofs = [proven.proof for proven in all_proven if proven.proof.verdicts]
    general = [each for proof in proofs for each in proof.assumptions]
    special = [each for proof in proofs for verdict in proof.verdicts for each in verdict.assumptions]
    if assumptions := dict.fromkeys([*general, *special]):
        yield Facts("assuming that", [("-", Ink(each, Tone.QUIET)) for each in assumptions])


def _blocks(proven: Proven) -> Iterator[Block]:
    if not proven.proof.verdicts:
        yield Table((), (), f"{proven.title}: no property stands under `must` in {proven.file}")
        return
    title = f"{proven.title}, of {output.counted(proven.proof.states, 'state')}"
    yield Facts(title, [(verdict.name, _verdict_ink(proven, verdict)) for verdict in proven.proof.verdicts])
    for verdict in proven.proof.verdicts:
        if verdict.path or verdict.cycle:
            verb = "is" if verdict.outcome is Outcome.VIOLATED else "may be"
            yield Facts(f"how {verdict.name} {verb} broken", [*_path_rows(verdict), *_life_rows(proven, verdict)])
    if proven.mutants is not None:
        yield from mutant_blocks(proven.title, proven.mutants)


def _verdict_ink(proven: Proven, verdict: Verdict) -> Ink:
    tone, glyph = _LOOKS[verdict.outcome]
    between = " " if verdict.outcome is Outcome.PROVED else ": "
    text = between.join(filter(None, [str(verdict.outcome), verdict.why]))
    if verdict.name in proven.vacuous:
        return Ink(visible(f"{text}, but nothing could break it: what it speaks of never happens"), Tone.ASKING, "!")
    return Ink(visible(text), tone, glyph)


def _life_rows(proven: Proven, verdict: Verdict) -> Iterator[tuple[str, Ink]]:
    """How it was made to happen on the real engine."""
    if verdict.name in proven.found:
        life, again = proven.found[verdict.name]
        yield "play", Ink(visible(_moves(life.given)), Tone.COMMAND)
        if again:
            yield "again", Ink(visible(_moves(again)), Tone.COMMAND)
    if verdict.name in proven.tests:
        path, is_again = proven.tests[verdict.name]
        yield "test", Ink(visible(f"{path}{', written again' if is_again else ''}"))
    if verdict.name in proven.diagrams:
        yield "diagram", Ink(visible(proven.diagrams[verdict.name]))


def _moves(moves: Sequence[Move]) -> str:
    return f"[{', '.join(map(repr, moves))}]"


def _path_rows(verdict: Verdict) -> Iterator[tuple[str, Ink]]:
    for number, step in enumerate(verdict.path, start=1):
        yield str(number), Ink(visible(_sentence(step)))
    for step in verdict.cycle:
        yield "again", Ink(visible(_sentence(step)), Tone.STRONG)


def _sentence(step: PathStep) -> str:
    known = [f"{name} is {' or '.join(map(_shown, examples))}" for name, examples in step.known.items()]
    is_move = step.enters or step.source != step.target
    way = f"{step.source} → {step.target}" if is_move else f"stays in {step.source}"
    return f"{way}: {_CAUSES[step.kind]} `{step.event}`{f', where {listed(known)}' if known else ''}"


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
