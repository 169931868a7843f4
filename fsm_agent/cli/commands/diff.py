"""``diff``: what changed between two versions of a workflow, and what that means."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

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
from fsm_agent.render.difference import DIFFERENCE_FORMATS, draw_difference
from fsm_agent.report.difference_markdown import to_markdown
from fsm_agent.report.page.review import difference_page

#: format -> how the name of a file in it ends
FORMATS: Final = {
    "text": ".txt",
    "json": ".json",
    "markdown": ".md",
    "html": ".html",
    **{name: each.suffix for name, each in DIFFERENCE_FORMATS.items()},
}
_UNPRINTABLE: Final = frozenset({"png", "pdf"})


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
    help="What to write.  [default: by the name of FILE, else text]",
)
@click.option("--full", is_flag=True, help="Draw every state, also those that are far from any change.")
@click.option("--live", is_flag=True, help="Ask the store what becomes of the agents that are there.")
@imports_option
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    versions: tuple[str, ...],
    file: Path | None,
    format_name: str | None,
    full: bool,
    live: bool,
    imports: bool,
) -> int:
    """Tell what changed from the workflow file OLD to NEW, and what that means.

    With a git revision, the file PATH is compared as it was then with what it is now, or with a second revision.
    Nothing of the workflows is run, unless --import is given.
    """
    settings: CommandSettings = ctx.obj
    format_name = format_name or _format_of(file) or ("json" if settings.json else "text")
    with _sides(ctx, versions, ctx.meta.get(__name__)) as sides:
        difference = difference_between(settings, sides, imports=imports)
    if live:
        difference = difference.with_live(asyncio.run(live_outcomes(settings, difference.new)))
    _write(settings, _Wanted(difference, format_name, full), file)
    return 1 if difference.is_broken else 0


def _sides(
    ctx: click.Context, versions: Sequence[str], paths: Sequence[str] | None
) -> AbstractContextManager[tuple[Side, Side]]:
    if paths is None and len(versions) == 2:
        return files(*versions)
    if paths is not None and len(paths) == 1 and len(versions) in (1, 2):
        return revisions(versions[0], versions[1] if len(versions) == 2 else None, paths[0])
    said = "name two files, or one or two revisions and behind `--` a file"
    if paths is not None and any(each.startswith("-") for each in paths):
        said = "options stand before `--`, and behind it only the file"
    raise click.UsageError(said, ctx)


def _format_of(file: Path | None) -> str | None:
    if file is None:
        return None
    found = [name for name, suffix in FORMATS.items() if file.suffix.lower() in (suffix, f".{name}")]
    if not found:
        raise click.ClickException(f"{str(file)!r} does not say which format it is: give --format, {listed(FORMATS)}")
    return found[0]


class _Wanted(NamedTuple):
    """A difference, and how it is written."""

    difference: Difference
    format: str
    is_full: bool

    def content(self) -> bytes:
        match self.format:
            case "json":
                return f"{output.json_text(self.difference.to_json())}\n".encode()
            case "markdown":
                picture = draw_difference(self.difference, "mermaid", is_full=self.is_full).decode()
                return to_markdown(self.difference, picture).encode()
            case "html":
                return difference_page(self.difference, is_full=self.is_full).encode()
            case "text":
                return f"{plain_text(map(harmless, difference_blocks(self.difference)))}\n".encode()
            case _:
                return draw_difference(self.difference, self.format, is_full=self.is_full)


def _write(settings: CommandSettings, wanted: _Wanted, file: Path | None) -> None:
    if file is None:
        _print(settings, wanted)
        return
    try:
        file.write_bytes(wanted.content())
    except OSError as error:
        error.filename = str(file)  # the error of a full disk names no file
        raise
    output.say(f"wrote {file}")
    if settings.json:
        output.print_json({"files": [str(file)]})


def _print(settings: CommandSettings, wanted: _Wanted) -> None:
    if wanted.format == "text":
        output.print_blocks(difference_blocks(wanted.difference), is_wide=settings.wide)
    elif (settings.json and wanted.format != "json") or (wanted.format in _UNPRINTABLE and sys.stdout.isatty()):
        raise click.ClickException(f"{wanted.format} is not what is printed here: give -o FILE")
    else:
        click.echo(wanted.content(), nl=False)
