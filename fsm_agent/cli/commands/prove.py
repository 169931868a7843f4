"""``prove``: whether workflows keep their properties, over all of their reachable states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.commands.check import inspect
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE, WholeNumber
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.finding import Severity
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.project.action_lookup import look_up
from fsm_agent.proof.model import Kind
from fsm_agent.proof.prover import MOST
from fsm_agent.proof.verdicts import Outcome, PathStep, Proof, Verdict
from fsm_agent.runtime.scripted.counterexample import test_of
from fsm_agent.runtime.scripted.play import Play
from fsm_agent.runtime.scripted.settled import prove_and_settle

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


class Proven(NamedTuple):
    """A workflow file, and what was found about its properties."""

    file: Path
    workflow: Workflow
    proof: Proof
    #: property -> a life in which an agent breaks it, on the real engine
    lives: Mapping[str, Play]
    #: property -> the test that was written
    tests: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.workflow.name,
            "file": str(self.file),
            "states": self.proof.states,
            "complete": self.proof.is_complete,
            "assumptions": list(self.proof.assumptions),
            "must": [self._verdict(verdict) for verdict in self.proof.verdicts],
        }

    def _verdict(self, verdict: Verdict) -> dict[str, Json]:
        life = self.lives.get(verdict.name)
        moves: list[Json] | None = None if life is None else [repr(move) for move in life.given]
        return {**_verdict_json(verdict), "moves": moves, "test": self.tests.get(verdict.name)}


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="PATH...", nargs=-1, required=True)
@click.option("--only", metavar="NAME", multiple=True, help="Only this property; repeatable.")
@click.option(
    "--most", type=WholeNumber(), default=MOST, show_default=True, help="Look at N states at most, in each search."
)
@click.option("--strict", is_flag=True, help="Fail also where a verdict is open.")
@click.option(
    "--tests",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a test for each property that is broken.",
)
@imports_option
@click.pass_obj
def prove(
    settings: CommandSettings,
    /,
    *,
    paths: tuple[str, ...],
    only: tuple[str, ...],
    most: int,
    strict: bool,
    tests: Path | None,
    imports: bool,
) -> int:
    """Prove what workflow files say under `must`, over all states that an agent can reach.

    A property is proved, violated with the shortest path to where it is broken, or open.
    """
    catalogue = settings.catalogue(imports=imports)
    all_proven = [_prove(file, catalogue, only, most, tests) for file in workflow_files(paths)]
    if not any(each.proof.verdicts for each in all_proven) and only:
        names = [each.name for proven in all_proven for each in proven.workflow.must]
        raise click.ClickException(f"no property is called {only[0]!r}{did_you_mean(only[0], names)}")
    document: dict[str, Json] = {"workflows": [proven.to_json() for proven in all_proven]}
    output.show(settings, document, lambda: _all_blocks(all_proven))
    outcomes = {verdict.outcome for proven in all_proven for verdict in proven.proof.verdicts}
    return 1 if Outcome.VIOLATED in outcomes or (strict and Outcome.OPEN in outcomes) else 0


def _prove(file: Path, catalogue: Catalogue, only: Sequence[str], most: int, tests: Path | None) -> Proven:
    """Raises ``WorkflowInvalid`` for a file with mistakes."""
    workflow, findings = inspect(file, catalogue, trusts_names=not catalogue.are_listed)
    if workflow is None:
        raise WorkflowInvalid([finding for finding in findings if finding.severity is Severity.ERROR])
    known = look_up(workflow, catalogue, trusts_names=not catalogue.are_listed)
    properties = [each for each in workflow.must if not only or each.name in only]
    proof, lives = prove_and_settle(workflow, properties, signatures=known.actions, most=most)
    written = {} if tests is None else {name: _write_test(tests, file, workflow, name, lives[name]) for name in lives}
    return Proven(file, workflow, proof, lives, written)


def _write_test(folder: Path, file: Path, workflow: Workflow, name: str, life: Play) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"test_{workflow.name}_{name}.py"
    path.write_text(test_of(str(file), name, life), encoding="utf-8")
    return str(path)


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


def _all_blocks(all_proven: Sequence[Proven]) -> Iterator[Block]:
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
        yield Table((), (), f"{proven.workflow.name}: no property stands under `must` in {proven.file}")
        return
    title = f"{proven.workflow.name}, of {output.counted(proven.proof.states, 'state')}"
    yield Facts(title, [(verdict.name, _verdict_ink(verdict)) for verdict in proven.proof.verdicts])
    for verdict in proven.proof.verdicts:
        if verdict.path or verdict.cycle:
            verb = "is" if verdict.outcome is Outcome.VIOLATED else "may be"
            yield Facts(f"how {verdict.name} {verb} broken", [*_path_rows(verdict), *_life_rows(proven, verdict)])


def _verdict_ink(verdict: Verdict) -> Ink:
    tone, glyph = _LOOKS[verdict.outcome]
    between = " " if verdict.outcome is Outcome.PROVED else ": "
    return Ink(visible(between.join(filter(None, [str(verdict.outcome), verdict.why]))), tone, glyph)


def _life_rows(proven: Proven, verdict: Verdict) -> Iterator[tuple[str, Ink]]:
    """How it was made to happen on the real engine."""
    if verdict.name in proven.lives:
        moves = ", ".join(map(repr, proven.lives[verdict.name].given))
        yield "play", Ink(visible(f"[{moves}]"), Tone.COMMAND)
    if verdict.name in proven.tests:
        yield "test", Ink(visible(proven.tests[verdict.name]))


def _path_rows(verdict: Verdict) -> Iterator[tuple[str, Ink]]:
    for number, step in enumerate(verdict.path, start=1):
        yield str(number), Ink(visible(_sentence(step)))
    for step in verdict.cycle:
        yield "again", Ink(visible(_sentence(step)), Tone.STRONG)


def _sentence(step: PathStep) -> str:
    known = [f"{name} is {' or '.join(map(_shown, examples))}" for name, examples in step.known.items()]
    way = f"{step.source} → {step.target}" if step.source != step.target else f"stays in {step.source}"
    return f"{way}: {_CAUSES[step.kind]} `{step.event}`{f', where {listed(known)}' if known else ''}"


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
