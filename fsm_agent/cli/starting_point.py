"""The project that ``init`` writes: a workflow, its action, its test, and how to run them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from fsm_agent.cli.sheet import Facts, Ink, Tone

#: Every file carries ``.txt`` behind its name, so that no tool takes it for a part of this package.
_STARTER: Final = Path(__file__).parent / "starter"
_SUFFIX: Final = ".txt"
_PROJECT: Final = "pyproject.toml"


def write_starter(folder: Path) -> tuple[list[str], list[str]]:
    """Write the files that are not there yet; returns the names of those written and of those kept."""
    written: list[str] = []
    kept: list[str] = []
    for source in sorted(_STARTER.rglob(f"*{_SUFFIX}")):
        target = folder / source.relative_to(_STARTER).with_suffix("")
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
    files = [("wrote", Ink(name, Tone.GOOD)) for name in written] + [("kept", Ink(name, Tone.QUIET)) for name in kept]
    go = [] if folder == Path() else [("", Ink(shlex.join(["cd", str(folder)]), Tone.COMMAND))]
    commands = ["fsm-agent check workflows", "fsm-agent run workflows/hello.yaml", "pytest"]
    blocks = [Facts("", files), Facts("next", [*go, *(("", Ink(line, Tone.COMMAND)) for line in commands)])]
    if str(folder / _PROJECT) in kept:
        advice = '[tool.fsm-agent]\nmodules = ["greetings"]'
        blocks.insert(1, Facts(f"add to {folder / _PROJECT}", [("", Ink(line)) for line in advice.splitlines()]))
    return blocks
