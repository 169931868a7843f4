"""What ``check`` finds in workflow files, and how it tells."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from fsm_agent.actions.registry import Actions
from fsm_agent.check import behaviour_findings
from fsm_agent.check.formats import FORMATS
from fsm_agent.cli import output
from fsm_agent.cli.sheet import visible
from fsm_agent.dialect.builtins import BUILT_INS, tools_of
from fsm_agent.errors import ActionError
from fsm_agent.finding import Finding, Severity
from fsm_agent.loader import inspect_file
from fsm_agent.signature import Signature
from fsm_agent.workflow import Workflow

_MARKS = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow")}


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
        return len(self.findings) - self.errors

    def summary(self) -> str:
        found = f"{output.counted(self.errors, 'error')}, {output.counted(self.warnings, 'warning')}"
        return f"{output.counted(self.files, 'file')}: {found if self.findings else 'no mistakes'}"


def inspect_files(files: Iterable[Path], actions: Actions) -> Report:
    """Everything that can be said of workflow files before they run."""
    paths = list(files)
    found: list[Finding] = []
    for path in paths:
        found += _inspect(path, actions)
    return Report(len(paths), tuple(found))


def _inspect(path: Path, actions: Actions) -> list[Finding]:
    def check(workflow: Workflow) -> list[Finding]:
        known, unfound = _looked_up(workflow, actions)
        tools, no_tools = _tools(workflow, actions)
        return behaviour_findings(workflow, actions=known, tools=tools, unfound={**no_tools, **unfound})

    return inspect_file(path, resolve_model=actions.model_schema, checks=[check])[1]


def _looked_up(workflow: Workflow, actions: Actions) -> tuple[Mapping[str, Signature], Mapping[str, str]]:
    """What is known of the actions and upcasts of a workflow, and why those with a module are not found. Where no
    module is allowed, bare names are trusted."""
    every = list(_family(workflow))
    named = sorted({leaf.do for each in every for leaf in each.leaves if leaf.do and leaf.do not in BUILT_INS})
    bare = actions.names() if actions.are_listed else (name for name in named if ":" not in name)
    known = {name: actions.signature(name) or Signature() for name in bare}
    unfound: dict[str, str] = {}
    for name in named:
        if ":" in name or (actions.unread and name not in known):
            try:
                known[name] = actions.find(name).signature
            except ActionError as error:
                unfound[name] = str(error)
    for name in filter(None, [migration.upcast for each in every for migration in each.migrations]):
        try:
            actions.function(name)
            known.setdefault(name, Signature())
        except ActionError as error:
            unfound[name] = str(error)
    return known, unfound


def _tools(workflow: Workflow, actions: Actions) -> tuple[set[str], Mapping[str, str]]:
    """The tools of a workflow that are found or, where no module is allowed, trusted; and why the others are not."""
    found: set[str] = set()
    unfound: dict[str, str] = {}
    for name in {name for each in _family(workflow) for leaf in each.leaves for name in tools_of(leaf)}:
        try:
            if actions.are_listed or ":" in name:
                actions.tool(name)
            found.add(name)
        except ActionError as error:
            unfound[name] = str(error)
    return found, unfound


def _family(workflow: Workflow) -> Iterator[Workflow]:
    """A workflow and those that it embeds."""
    yield workflow
    for child in workflow.workflows.values():
        yield from _family(child)


def print_report(report: Report, format_name: str) -> None:
    """The findings on stdout; the sum of them beside it, where a program reads."""
    is_text = format_name == "text"
    if is_text and sys.stdout.isatty():
        for finding in report.findings:
            glyph, colour = _MARKS[finding.severity]
            click.echo(f"{click.style(glyph, fg=colour, bold=True)} {visible(str(finding))}")
    elif report.findings or format_name == "json":
        click.echo(FORMATS[format_name](report.findings))
    click.echo(report.summary(), err=not is_text)
