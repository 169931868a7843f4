"""The command that writes workflows as machines of XState, and makes workflows of such machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from fsm_agent.cli.commands.run import load_workflow
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import WORKFLOW_FILE
from fsm_agent.cli.input.paths import existing_file
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.json import Json
from fsm_agent.errors import MachineInvalid
from fsm_agent.loading.yaml_file import dump
from fsm_agent.loading.yaml_text import LARGEST
from fsm_agent.xstate.exporter import export as exported
from fsm_agent.xstate.importer import imported, machine_of
from fsm_agent.xstate.losses import Loss

_WAYS: Final = ("export", "import")


@click.command()
@click.argument("way", type=click.Choice(_WAYS), metavar="export|import")
@click.argument("path", type=WORKFLOW_FILE, metavar="PATH")
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@imports_option
@click.pass_obj
def xstate(settings: CommandSettings, *, way: str, path: str, file: Path | None, imports: bool) -> None:
    """Export the workflow in PATH as a machine of XState v5 (JSON), or import such a machine as a workflow (YAML).

    It goes to stdout, or to FILE. What cannot be carried is told on stderr, one sentence each.
    """
    if way == "export":
        _export(settings, path, file, imports=imports)
    else:
        _import(settings, path, file)


def _export(settings: CommandSettings, path: str, file: Path | None, *, imports: bool) -> None:
    found = exported(load_workflow(settings, path, imports=imports))
    text = json.dumps(found.machine, ensure_ascii=False, indent=2) if file else output.json_text(found.machine)
    _finish(settings, f"{text}\n", file, {"machine": found.machine}, lost=found.losses, flattened=found.flattened)


def _import(settings: CommandSettings, path: str, file: Path | None) -> None:
    text = _text(existing_file(path))
    try:
        found = imported(machine_of(text))
    except MachineInvalid as error:
        raise MachineInvalid(f"{path}: {error}") from None
    _finish(settings, dump(found.document), file, {"workflow": found.document}, lost=found.losses)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise MachineInvalid(f"{path}: a machine may take {LARGEST} bytes, and this file is larger")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MachineInvalid(f"{path} is not UTF-8 text") from None


def _finish(
    settings: CommandSettings, text: str, file: Path | None, document: dict[str, Json], **told: Sequence[Loss]
) -> None:
    """Write what was made, and tell what was not carried."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        output.say(f"wrote {file}")
        document = {"file": str(file)}
    for loss in (loss for losses in told.values() for loss in losses):
        output.say(str(loss))
    if settings.json:
        output.print_json(document | {name: [loss.to_json() for loss in losses] for name, losses in told.items()})
    elif not file:
        click.echo(text, nl=False)
