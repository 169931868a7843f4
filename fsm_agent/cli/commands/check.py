"""The findings of ``check`` in workflow files, and how they are printed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.check import behaviour_findings, proof_findings
from fsm_agent.check.reports import FORMATS
from fsm_agent.cli.blocks import visible
from fsm_agent.cli.logs import unread_modules_once
from fsm_agent.cli.views import output
from fsm_agent.cli.views.excerpts import with_excerpts
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import inspect_file
from fsm_agent.project.action_lookup import look_up

if TYPE_CHECKING:
    from fsm_agent.check.properties import Prover
    from fsm_agent.proof.verdicts import Verdict

_MARKS = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("?", "cyan")}


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of some files."""

    files: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        return sum(finding.severity is Severity.WARNING for finding in self.findings)

    @property
    def notes(self) -> int:
        return len(self.findings) - self.errors - self.warnings

    def summary(self) -> str:
        found = f"{output.counted(self.errors, 'error')}, {output.counted(self.warnings, 'warning')}"
        notes = f", {output.counted(self.notes, 'note')}" if self.notes else ""
        mistakes = found if self.errors or self.warnings else "no mistakes"
        return f"{output.counted(self.files, 'file')}: {mistakes}{notes}"


def inspect_files(files: Iterable[Path], catalogue: Catalogue) -> Report:
    """All findings of workflow files. If no module is allowed, names of actions are trusted."""
    paths = list(files)
    found: list[Finding] = []
    with unread_modules_once() as texts:
        for path in paths:
            found += inspect(path, catalogue, trusts_names=not catalogue.are_listed, prover=_replayed)[1]
        texts += [finding.message for finding in found]
    return Report(len(paths), tuple(found))


def inspect(
    path: Path,
    catalogue: Catalogue,
    *,
    trusts_names: bool,
    only: Callable[[Finding], bool] = lambda _: True,
    prover: Prover | None = None,
) -> tuple[Workflow | None, list[Finding]]:
    """The workflow in a file (``None`` if there are errors), and all findings. ``only`` selects those about
    behaviour. With a ``prover`` the properties under ``must`` are proved too."""

    def check(workflow: Workflow) -> list[Finding]:
        known = look_up(workflow, catalogue, trusts_names=trusts_names)
        found = behaviour_findings(
            workflow,
            actions=known.actions,
            tools=known.tools,
            unfound=known.unfound,
            doubts=known.doubts,
            lacking=known.lacking,
            unread=known.unread,
        )
        found += proof_findings(workflow, known.actions, prover) if prover is not None else []
        return list(filter(only, found))

    return inspect_file(path, resolve_model=catalogue.model_schema, checks=[check])


def _replayed(
    workflow: Workflow, properties: Sequence[Property], signatures: Mapping[str, Signature]
) -> Sequence[Verdict]:
    """The verdicts that ``prove`` gives too."""
    from fsm_agent.runtime.scripted.replayed_proof import prove_and_replay  # imported where properties stand

    return prove_and_replay(workflow, properties, signatures=signatures).proof.verdicts


def print_report(report: Report, format_name: str) -> None:
    """Print the findings on stdout; if a program reads that, the summary goes to stderr."""
    is_text = format_name == "text"
    if is_text:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for finding, lines in with_excerpts(report.findings, width=width):
            click.echo(f"{_marked(finding)}\n{lines}", nl=False)
    elif report.findings or format_name == "json":
        click.echo(FORMATS[format_name](report.findings))
    click.echo(report.summary(), err=not is_text)


def _marked(finding: Finding) -> str:
    if not sys.stdout.isatty():
        return str(finding)
    glyph, colour = _MARKS[finding.severity]
    return f"{click.style(glyph, fg=colour, bold=True)} {visible(str(finding))}"
