"""``review``: what a pull request does to workflows, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from fsm_agent import __version__
from fsm_agent.cli.commands.explanation import entries
from fsm_agent.cli.commands.review_facts import Wanted, gather
from fsm_agent.cli.commands.review_files import write_reports, written
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE, text
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.report.code_quality import to_code_quality
from fsm_agent.report.review_markdown import to_markdown, verdict_line
from fsm_agent.report.sarif import to_sarif

#: where workflows are, unless paths are given
_DEFAULT: Final = ("workflows",)
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="[PATH]...", nargs=-1)
@click.option("--base", metavar="REV", type=text, required=True, help="The git revision to compare with.")
@click.option(
    "--out-dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the report, pages, pictures and tests of broken properties here.",
)
@click.option("--sarif", type=_FILE, metavar="FILE", help="Write the findings as SARIF.")
@click.option("--code-quality", type=_FILE, metavar="FILE", help="Write the findings as GitLab's code quality report.")
@click.option("--live", is_flag=True, help="Ask the store what becomes of the agents that are there.")
@click.option("--strict", is_flag=True, help="Fail also where a verdict is open.")
@click.option("--name", type=text, metavar="NAME", help="What the report is recognised by.  [default: the PATHs]")
@click.option("--artifact", metavar="URL", default="", help="Where DIR will be found, for a report that is cut.")
@imports_option
@click.pass_obj
def review(
    settings: CommandSettings,
    *,
    paths: tuple[str, ...],
    base: str,
    folder: Path | None,
    sarif: Path | None,
    code_quality: Path | None,
    live: bool,
    strict: bool,
    name: str | None,
    artifact: str,
    imports: bool,
) -> int:
    """Review all workflow files in PATH that differ from the git revision REV: what changed, and what that means.

    One Markdown report has what `check` finds, the difference, the properties before and now, and agents. Nothing of
    the workflows is run, unless --import is given.
    """
    paths = paths or _DEFAULT
    tests = None if folder is None else folder / "tests"
    found = gather(settings, Wanted(base, paths, name or " ".join(paths), live, imports, tests))
    if sarif is not None:
        written(sarif, output.json_text(to_sarif(found, entries(), version=__version__)))
    if code_quality is not None:
        written(code_quality, output.json_text(to_code_quality(found)))
    if folder is not None:
        write_reports(folder, found, artifact)
        output.say("\n".join(map(verdict_line, found.workflows)) or "no workflow has changed")
    if settings.json:
        output.print_json(found.to_json())
    elif folder is None:
        click.echo(to_markdown(found, artifact=artifact), nl=False)
    return 1 if found.is_failed(strict=strict) else 0
