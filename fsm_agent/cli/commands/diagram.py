"""The command that draws workflows for reviews, and checks in continuous integration that drawings are up to date."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from fsm_agent.cli.commands.run import load_workflow
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import AGENT_ID, WORKFLOW_FILE
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import opened
from fsm_agent.cli.views import output
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.formats import FORMATS, draw
from fsm_agent.render.overlay import Overlay, overlay_from_history
from fsm_agent.runtime.agent_reads import workflow_of

#: formats of ``--out-dir`` without ``--format``
_ALL: Final = ("dot", "mermaid", "svg")
#: same bytes on every machine; other formats depend on Graphviz and fonts
_COMPARABLE: Final = frozenset({"dot", "mermaid"})
_UNPRINTABLE: Final = frozenset({"png", "pdf"})


@dataclass(frozen=True, slots=True)
class Subject:
    """What is drawn, and the name of its files."""

    name: str
    workflow: Workflow
    overlay: Overlay | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to write, with its format."""

    file: Path
    format: str
    subject: Subject

    def draw(self) -> bytes:
        return draw(self.subject.workflow, self.format, overlay=self.subject.overlay)

    def write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.file.write_bytes(self.draw())
        except OSError as error:
            error.filename = str(self.file)  # the error of a full disk names no file
            raise

    def problem(self) -> str | None:
        """Why the file on disk is wrong; ``None`` if it is right."""
        if not self.file.is_file():
            return "is missing"
        if self.format in _COMPARABLE and self.file.read_bytes() != self.draw():
            return "is stale"
        return None


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="[PATH]...", nargs=-1)
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write one picture here.")
@click.option("--out-dir", type=click.Path(file_okay=False, path_type=Path), help="Write NAME.* of each workflow here.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    help="What to draw.  [default: by the name of FILE, else svg]",
)
@click.option(
    "--agent",
    "agent_id",
    type=AGENT_ID,
    metavar="ID",
    help="Draw the workflow of an agent, with its path and its state.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is missing or out of date.")
@imports_option
@click.pass_obj
def diagram(
    settings: CommandSettings,
    *,
    paths: tuple[str, ...],
    file: Path | None,
    out_dir: Path | None,
    format_name: str | None,
    agent_id: str | None,
    check: bool,
    imports: bool,
) -> int:
    """Draw the workflow in each PATH, a file or a folder.

    One picture goes to stdout, or to FILE. --out-dir without --format writes NAME.dot, NAME.mmd and NAME.svg. With
    --agent, the agent's own definition is drawn, whatever PATH holds by now.
    """
    subjects = [_agent(settings, agent_id)] if agent_id else _declared(settings, paths, imports=imports)
    wanted = list(pictures(subjects, file, out_dir, format_name))
    if check:
        return _verify(wanted)
    if wanted:
        return _write(settings, wanted)
    return _print(settings, subjects, format_name or "svg")


def _declared(settings: CommandSettings, paths: tuple[str, ...], *, imports: bool) -> list[Subject]:
    if not paths:
        said = "name workflow files or folders, or an agent with --agent ID"
        raise click.UsageError(said, click.get_current_context())
    return [Subject(path.stem, load_workflow(settings, str(path), imports=imports)) for path in workflow_files(paths)]


def _agent(settings: CommandSettings, agent_id: str) -> Subject:
    async def read() -> Subject:
        async with opened(settings) as store:
            head = await find(store, agent_id, store.head)
            workflow = await workflow_of(store, head)
            steps = await store.history(head.id)
            overlay = overlay_from_history(workflow, head.state, steps, progress=head.progress)
        return Subject(head.id, workflow, overlay)

    return asyncio.run(read())


def pictures(
    subjects: list[Subject], file: Path | None, out_dir: Path | None, format_name: str | None
) -> Iterator[Picture]:
    """The files to write; none if a picture goes to stdout."""
    if file and out_dir:
        raise click.ClickException("-o names one file and --out-dir a folder: give one of them")
    if file and len(subjects) > 1:
        raise click.ClickException(f"-o names one file, and there are {len(subjects)} workflows: give --out-dir")
    if file:
        yield Picture(file, format_name or _format_of(file), subjects[0])
    for subject in subjects if out_dir else []:
        for each in [format_name] if format_name else _ALL:
            yield Picture(Path(out_dir or "") / f"{subject.name}{FORMATS[each].suffix}", each, subject)


def _format_of(file: Path) -> str:
    for name, known in FORMATS.items():
        if file.suffix.lower() in (known.suffix, f".{name}"):
            return name
    raise click.ClickException(f"{str(file)!r} does not say which format it is: give --format, {listed(FORMATS)}")


def _verify(pictures: list[Picture]) -> int:
    if not pictures:
        raise click.ClickException("--check compares files: say where they are with --out-dir or -o")
    problems = [f"{picture.file} {problem}" for picture in pictures if (problem := picture.problem())]
    for problem in problems:
        output.say(problem)
    outcome = f"{len(problems)} not fresh" if problems else "all fresh"
    output.say(f"{output.counted(len(pictures), 'picture')}: {outcome}")
    return 1 if problems else 0


def _write(settings: CommandSettings, pictures: list[Picture]) -> int:
    for picture in pictures:
        picture.write()
        output.say(f"wrote {picture.file}")
    if settings.json:
        output.print_json({"files": [str(picture.file) for picture in pictures]})
    return 0


def _print(settings: CommandSettings, subjects: list[Subject], format_name: str) -> int:
    if len(subjects) > 1:
        raise click.ClickException(f"stdout takes one picture, and there are {len(subjects)} workflows: give --out-dir")
    if settings.json or (format_name in _UNPRINTABLE and sys.stdout.isatty()):
        raise click.ClickException(f"a {format_name} picture is no text to be printed here: give -o FILE")
    click.echo(Picture(Path(), format_name, subjects[0]).draw(), nl=False)
    return 0
