"""``diff``: what changed between two versions of a workflow, and what that means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import click

from fsm_agent.change.difference import Difference
from fsm_agent.cli.blocks import harmless
from fsm_agent.cli.commands.comparison import Side, difference_between, files, live_outcomes, revisions
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.cli.views.differences import difference_blocks
from fsm_agent.cli.views.plain_text import plain_text
from fsm_agent.domain.text import listed
from fsm_agent.report.difference_markdown import to_markdown

#: format -> how the name of a file in it ends
FORMATS: Final = {"text": ".txt", "json": ".json", "markdown": ".md"}


class DiffCommand(click.Command):
    """Keeps what stands behind ``--`` apart: that is a path, and what stands before are revisions."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[__name__] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=DiffCommand)
@click.argument("versions", type=WORKFLOW_FILE, metavar="OLD NEW | REV [REV] -- PATH", nargs=-1)
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    help="How it is written.  [default: by the name of FILE, else text]",
)
@click.option("--live", is_flag=True, help="Ask the store what becomes of the agents that are there.")
@imports_option
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    versions: tuple[str, ...],
    file: Path | None,
    format_name: str | None,
    live: bool,
    imports: bool,
) -> int:
    """Tell what changed from the workflow file OLD to NEW, and what that means.

    With a git revision, the file PATH is compared as it was then with what it is now, or with a second revision.
    Nothing of the workflows is run.
    """
    settings: CommandSettings = ctx.obj
    format_name = format_name or _format_of(file) or ("json" if settings.json else "text")
    with _sides(ctx, versions, ctx.meta.get(__name__)) as sides:
        difference = difference_between(settings, sides, imports=imports)
    if live:
        difference = difference.with_live(asyncio.run(live_outcomes(settings, difference.new)))
    _write(settings, difference, format_name, file)
    return 1 if difference.is_broken else 0


def _sides(
    ctx: click.Context, versions: Sequence[str], paths: Sequence[str] | None
) -> AbstractContextManager[tuple[Side, Side]]:
    if paths is None and len(versions) == 2:
        return files(*versions)
    if paths is not None and len(paths) == 1 and len(versions) in (1, 2):
        return revisions(versions[0], versions[1] if len(versions) == 2 else None, paths[0])
    said = "name two files, or one or two revisions and behind `--` a file"
    raise click.UsageError(said, ctx)


def _format_of(file: Path | None) -> str | None:
    if file is None:
        return None
    found = [name for name, suffix in FORMATS.items() if file.suffix.lower() in (suffix, f".{name}")]
    if not found:
        raise click.ClickException(f"{str(file)!r} does not say which format it is: give --format, {listed(FORMATS)}")
    return found[0]


def _write(settings: CommandSettings, difference: Difference, format_name: str, file: Path | None) -> None:
    if file is None and format_name == "text":
        output.print_blocks(difference_blocks(difference), is_wide=settings.wide)
        return
    content = _content(difference, format_name)
    if file is None:
        click.echo(content, nl=False)
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        error.filename = str(file)  # the error of a full disk names no file
        raise
    output.say(f"wrote {file}")
    if settings.json:
        output.print_json({"files": [str(file)]})


def _content(difference: Difference, format_name: str) -> bytes:
    match format_name:
        case "json":
            return f"{output.json_text(difference.to_json())}\n".encode()
        case "markdown":
            return to_markdown(difference).encode()
        case _:
            return f"{plain_text(map(harmless, difference_blocks(difference)))}\n".encode()
