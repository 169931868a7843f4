"""The project that ``init`` writes: a workflow, its schema, its action, a test, and how to run them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from fsm_agent.cli.blocks import Facts, Ink, Tone
from fsm_agent.project.pyproject import find_project

#: Each file name ends with ``.txt``, so that no tool takes the file for a part of this package.
_STARTER: Final = Path(__file__).parent.parent / "starter"
_SUFFIX: Final = ".txt"
_PROJECT: Final = "pyproject.toml"
#: module of the action
_MODULE: Final = "greetings"
#: where editors find the schema of workflow files
SCHEMA: Final = Path(__file__).parents[2] / "schema" / "workflow.schema.json"
_SCHEMA_BESIDE: Final = Path("workflows") / SCHEMA.name


def write_starter(folder: Path) -> tuple[list[str], list[str]]:
    """Write the files that do not exist yet; returns the names of new files and of kept files."""
    sources = {source.relative_to(_STARTER).with_suffix(""): source for source in _STARTER.rglob(f"*{_SUFFIX}")}
    sources[_SCHEMA_BESIDE] = SCHEMA
    written: list[str] = []
    kept: list[str] = []
    for name, source in sorted(sources.items()):
        target = folder / name
        (kept if _is_kept(source, target) else written).append(str(target))
    return written, kept


def _is_kept(source: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(source.read_text(encoding="utf-8"))
    except FileExistsError:
        return True
    return False


def starter_blocks(folder: Path, written: list[str], kept: list[str]) -> list[Facts]:
    """What was done, and what to type next."""
    go = [] if folder == Path() else [("", Ink(shlex.join(["cd", str(folder)]), Tone.COMMAND))]
    commands = ["fsm-agent check workflows", "fsm-agent run workflows/hello.yaml", "pytest"]
    blocks = [_done(written, kept)]
    if not _allows_greetings(folder):
        advice = f'[tool.fsm-agent]\nmodules = ["{_MODULE}"]'
        blocks.append(Facts(f"add to {folder / _PROJECT}", [("", Ink(line)) for line in advice.splitlines()]))
    return [*blocks, Facts("next", [*go, *(("", Ink(line, Tone.COMMAND)) for line in commands)])]


def _done(written: list[str], kept: list[str]) -> Facts:
    if not written:
        return Facts("", [("wrote", Ink("nothing: this was done before, and every file is there", Tone.QUIET))])
    rows = [("wrote", Ink(name, Tone.GOOD)) for name in written] + [("kept", Ink(name, Tone.QUIET)) for name in kept]
    return Facts("", rows)


def _allows_greetings(folder: Path) -> bool:
    """Whether the project's settings, which may be older than the starter, list the module of the action."""
    return _MODULE in find_project(str(folder)).modules
