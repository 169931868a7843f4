"""``coverage``: which transitions the agents of a store have taken, and how the states fare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from fsm_agent.cli.blocks import Block, Table
from fsm_agent.cli.commands.diagram import Picture, Subject, pictures
from fsm_agent.cli.commands.run import load_workflow
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.coverage import coverage_blocks, left_out_block
from fsm_agent.domain.json import Json
from fsm_agent.render.formats import FORMATS
from fsm_agent.report.coverage import Coverage
from fsm_agent.report.coverage import coverage as told
from fsm_agent.report.heat import heat
from fsm_agent.runtime.coverage import StoreCoverage, tally_store
from fsm_agent.stores.base import Store


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="[PATH]...", nargs=-1)
@click.option("--workflow", metavar="NAME", help="Only agents of this workflow.")
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Draw the heat here.")
@click.option("--out-dir", type=click.Path(file_okay=False, path_type=Path), help="Draw NAME.* of each workflow here.")
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), help="What to draw.")
@imports_option
@click.pass_obj
def coverage(
    settings: CommandSettings,
    /,
    *,
    paths: tuple[str, ...],
    workflow: str | None,
    file: Path | None,
    out_dir: Path | None,
    format_name: str | None,
    imports: bool,
) -> None:
    """Show which transitions agents have taken, and how often they entered each state, stayed and failed there.

    Counted are the agents of the definition in each PATH; without PATH, all agents. Nothing is run.
    """
    if format_name and not (file or out_dir):
        raise click.UsageError("--format says what to draw, and needs -o or --out-dir", click.get_current_context())
    workflows = [load_workflow(settings, str(path), imports=imports) for path in workflow_files(paths)] if paths else []

    async def read(store: Store) -> StoreCoverage:
        return await tally_store(store, workflows, workflow=workflow)

    found = read_store(settings, read)
    counts = [told(tally) for tally in found.tallies.values()]
    for picture in _pictures(counts, file, out_dir, format_name):
        picture.write()
        output.say(f"wrote {picture.file}")
    document: dict[str, Json] = {
        "workflows": [each.to_json() for each in counts],
        "left_out": [{"id": agent_id, "why": why} for agent_id, why in found.left_out.items()],
        "others": found.others,
    }
    output.show(settings, document, lambda: _blocks(counts, found))


def _pictures(
    counts: list[Coverage], file: Path | None, out_dir: Path | None, format_name: str | None
) -> Iterator[Picture]:
    subjects = [Subject(name, each.workflow, heat(each)) for name, each in _names(counts)]
    yield from pictures(subjects, file, out_dir, format_name)


def _names(counts: list[Coverage]) -> Iterator[tuple[str, Coverage]]:
    """The names of the files. Where a workflow has several definitions, each name has version and hash."""
    names = [each.workflow.name for each in counts]
    for each in counts:
        is_only = names.count(each.workflow.name) == 1
        yield (
            each.workflow.name if is_only else f"{each.workflow.name}-{each.workflow.version}-{each.workflow.hash[:8]}",
            each,
        )


def _blocks(counts: list[Coverage], found: StoreCoverage) -> Iterator[Block]:
    if not counts:
        yield Table((), (), "there are no agents here")
    for each in counts:
        yield from coverage_blocks(each)
    yield from left_out_block(found.left_out, found.others)
