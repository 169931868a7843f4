"""``prove``: whether workflows keep their properties, over all of their reachable states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.check import Code
from fsm_agent.cli.commands.check import inspect
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE, WholeNumber
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.cli.views.proofs import Proven, WrittenTest, proof_blocks
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import did_you_mean
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.project.action_lookup import look_up
from fsm_agent.proof.prover import MOST
from fsm_agent.proof.verdicts import Outcome
from fsm_agent.runtime.scripted.counterexample import marker, test_of
from fsm_agent.runtime.scripted.replayed_proof import prove_and_replay


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
@click.option(
    "--diagrams",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw how each property is broken.",
)
@click.option("--mutants", is_flag=True, help="Try small changes: how many do check and the properties notice?")
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
    diagrams: Path | None,
    mutants: bool,
    imports: bool,
) -> int:
    """Prove what workflow files say under `must`, over all states that an agent can reach.

    A property is proved, violated with the shortest path to where it is broken, or open.
    """
    catalogue = settings.catalogue(imports=imports)
    all_proven = [proven for file in workflow_files(paths) for proven in _prove(file, catalogue, only, most)]
    if not any(each.proof.verdicts for each in all_proven) and only:
        names = [each.name for proven in all_proven for each in proven.workflow.must]
        raise click.ClickException(f"no property is called {only[0]!r}{did_you_mean(only[0], names)}")
    if mutants:
        all_proven = list(_with_mutants(all_proven, catalogue))
    if tests is not None:
        all_proven = [each._replace(tests=write_tests(tests, each)) for each in all_proven]
    if diagrams is not None:
        all_proven = [each._replace(diagrams=draw_ways(diagrams, each)) for each in all_proven]
    document: dict[str, Json] = {"workflows": [proven.to_json() for proven in all_proven]}
    output.show(settings, document, lambda: proof_blocks(all_proven))
    outcomes = {verdict.outcome for proven in all_proven for verdict in proven.proof.verdicts}
    return 1 if Outcome.VIOLATED in outcomes or (strict and Outcome.OPEN in outcomes) else 0


def _prove(file: Path, catalogue: Catalogue, only: Sequence[str], most: int) -> Iterator[Proven]:
    """What is found about the workflow of a file, and about those of its children that have properties. Raises
    ``WorkflowInvalid`` for a file with mistakes."""
    workflow, findings = inspect(file, catalogue, trusts_names=not catalogue.are_listed)
    if workflow is None:
        raise WorkflowInvalid([finding for finding in findings if finding.severity is Severity.ERROR])
    known = look_up(workflow, catalogue, trusts_names=not catalogue.are_listed).actions
    for child, each in family(workflow):
        if each.must or not child:
            properties = [of for of in each.must if not only or of.name in only]
            proof, found = prove_and_replay(each, properties, signatures=known, most=most)
            yield Proven(file, child, each, proof, found, vacuous(findings, child), {}, {})


def _with_mutants(all_proven: Iterable[Proven], catalogue: Catalogue) -> Iterator[Proven]:
    """The workflows of files, with what becomes of small changes; children have files of their own to be tried."""
    from fsm_agent.cli.commands.mutants import sharing, tried

    with sharing() as spread:
        for each in all_proven:
            known = look_up(each.workflow, catalogue, trusts_names=not catalogue.are_listed).actions
            yield each if each.child else each._replace(mutants=tried(each.file, each.workflow, known, spread))


def vacuous(findings: Iterable[Finding], child: tuple[str, ...]) -> frozenset[str]:
    """The properties of a child that nothing can break, as ``check`` has found."""
    way = (*(part for name in child for part in ("workflows", name)), "must")
    paths = (finding.path for finding in findings if finding.code == Code.VACUOUS)
    return frozenset(str(path[len(way)]) for path in paths if path[: len(way)] == way)


def family(workflow: Workflow, child: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Workflow]]:
    """A workflow and those within it, each with the names by which it stands there."""
    yield child, workflow
    for name, each in workflow.workflows.items():
        yield from family(each, (*child, name))


def write_tests(folder: Path, proven: Proven) -> dict[str, WrittenTest]:
    """A test for each property that an agent breaks."""
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _write_test(folder, proven, name) for name in proven.found}


def draw_ways(folder: Path, proven: Proven) -> dict[str, str]:
    """A picture for each property that an agent breaks: its workflow with the way on it, as Mermaid and as SVG."""
    from fsm_agent.render.formats import draw
    from fsm_agent.render.path_overlay import overlay_from_verdict

    drawn: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for verdict in proven.proof.verdicts:
        if verdict.name in proven.found:
            overlay = overlay_from_verdict(proven.workflow, verdict)
            for suffix, kind in ((".mmd", "mermaid"), (".svg", "svg")):
                path = folder / f"{_stem(proven, verdict.name)}{suffix}"
                path.write_bytes(draw(proven.workflow, kind, overlay=overlay))
                drawn[verdict.name] = str(path)
    return drawn


def _stem(proven: Proven, name: str) -> str:
    """The name of a file about a property."""
    return "_".join([proven.workflow.name, *proven.child, name])


def _write_test(folder: Path, proven: Proven, name: str) -> WrittenTest:
    """Take the place of an earlier test of the same property alone: nobody else's file is touched."""
    path = folder / f"test_{_stem(proven, name)}.py"
    is_again = path.exists()
    if is_again and not _is_ours(path, marker(str(proven.file), name)):
        raise click.ClickException(
            f"{path} is there already, and is no test that `fsm-agent prove` wrote for {name!r} of {proven.file}: "
            "move it away, or name another folder with --tests"
        )
    path.write_text(test_of(str(proven.file), name, proven.found[name], child=proven.child), encoding="utf-8")
    return WrittenTest(str(path), is_again)


def _is_ours(path: Path, first_line: str) -> bool:
    """Whether a file is there that begins with this line."""
    return path.is_file() and path.read_bytes().startswith(f"{first_line}\n".encode())
