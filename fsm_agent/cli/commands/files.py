"""Commands about files: a project to begin with, the mistakes in workflows, the schema for editors."""

from __future__ import annotations

from pathlib import Path

import click

from fsm_agent.cli.commands.init import SCHEMA, starter_blocks, write_starter
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def init(settings: CommandSettings, *, folder: Path) -> None:
    """Begin a project in DIR: a workflow, its schema, its action, a test, a README. What is there is kept."""
    written, kept = write_starter(folder)
    document = {"folder": str(folder), "written": written, "kept": kept}
    output.show(settings, document, lambda: starter_blocks(folder, written, kept))


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="PATH...", nargs=-1)
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json", "github"]), help="How findings are printed."
)
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--explain", metavar="CODE", help="Explain what a code such as FSM110 means, and how to mend it.")
@imports_option
@click.pass_obj
def check(
    settings: CommandSettings,
    *,
    paths: tuple[str, ...],
    format_name: str | None,
    strict: bool,
    explain: str | None,
    imports: bool,
) -> int:
    """Report every mistake in workflow files, and in the *.yaml and *.yml of folders.

    Actions are read from the text of the allowed modules, and nothing of it is run, unless --import is given.
    """
    from fsm_agent.cli.commands import explanation
    from fsm_agent.cli.commands.check import inspect_files, print_report

    if explain is not None:
        explanation.explain(settings, explain)
        return 0
    if not paths:
        raise click.UsageError("name workflow files or folders, or a code with --explain", click.get_current_context())
    files = workflow_files(paths)
    if not settings.modules:
        output.say("note: no module is listed, so the names of actions are trusted; list them under [tool.fsm-agent]")
    report = inspect_files(files, settings.catalogue(imports=imports))
    print_report(report, format_name or ("json" if settings.json else "text"))
    return 1 if report.errors or (strict and report.warnings) else 0


@click.command()
def schema() -> None:
    """Print the JSON Schema of workflow files, for editors."""
    click.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)
