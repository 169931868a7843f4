"""ruff, as a process: what it finds in a folder, and what a file looks like when one of its rules is followed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from fsm_agent import ActionError

#: Longer than this ruff takes over no folder that one would tidy in this way.
_PATIENCE_S: Final = 120


class RuffMissing(ActionError):
    """There is no ruff here."""


class RuffFailed(ActionError):
    """ruff said that it could not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what ruff says. ``fix`` is how sure it is of a fix: ``safe``, ``unsafe``, or nothing."""

    #: relative to the folder
    file: str
    row: int
    #: empty for what is no Python
    rule: str
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Ruff:
    """ruff over one folder; ``select`` are its rules, or else what the folder's own configuration says."""

    folder: Path
    select: str | None = None

    @cached_property
    def _program(self) -> str:
        """The one that is installed beside this Python, or that is on PATH."""
        beside = shutil.which("ruff", path=str(Path(sys.executable).parent))
        program = beside or shutil.which("ruff")
        if program is None:
            raise RuffMissing(
                f"ruff is neither beside {sys.executable} nor on PATH; `pip install ruff` brings it, and so does "
                "the extra `demo` of fsm-agent"
            )
        return program

    def findings(self) -> list[Finding]:
        """All that it finds, in the order of files and rows."""
        if not self.folder.is_dir():
            raise RuffFailed(f"{str(self.folder)!r} is no folder, and only a folder can be tidied")
        found: list[dict[str, Any]] = json.loads(self._run("--output-format", "json", "--", str(self.folder)))
        every = [self._finding(each) for each in found]
        return sorted(every, key=lambda each: (each.file, each.row, each.rule))

    def _finding(self, found: dict[str, Any]) -> Finding:
        path = Path(found["filename"])
        inside = path.is_relative_to(self.folder)
        fix = found["fix"]["applicability"] if found["fix"] and inside and found["cell"] is None else ""
        file = path.relative_to(self.folder).as_posix() if inside else str(path)
        return Finding(file, found["location"]["row"], found["code"] or "", found["message"], fix)

    def fixed(self, file: str, content: bytes, rule: str, *, unsafe: bool) -> bytes:
        """What a file with this content becomes when every fix of one rule is applied to it."""
        words = ["--fix-only", "--fixable", rule, "--stdin-filename", str(self.folder / file)]
        words.append("--unsafe-fixes" if unsafe else "--no-unsafe-fixes")
        return self._run(*words, "-", content=content)

    def _run(self, *words: str, content: bytes | None = None) -> bytes:
        """It leaves nothing in the folder, and its exit code is 0 whatever it finds."""
        chosen: Sequence[str] = ("--select", self.select) if self.select else ()
        line = [self._program, "check", "--no-cache", "--exit-zero", *chosen, *words]
        done = subprocess.run(line, input=content, capture_output=True, check=False, timeout=_PATIENCE_S)  # noqa: S603
        if done.returncode:
            said = done.stderr.decode(errors="replace").split("\n\n")[0]
            raise RuffFailed(f"ruff says of {str(self.folder)!r}: {' '.join(said.split())}")
        return done.stdout
