"""The tour of README.md, taken by a new user: every command runs, and prints what the page says it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def fences() -> list[tuple[str, str]]:
    tour = README.read_text().partition("## A five-minute tour")[2]
    return re.findall(r"^```(console|python)\n(.*?)^```", tour, re.DOTALL | re.MULTILINE)


def commands(console: str) -> list[tuple[str, str]]:
    """Each command with the output that the page shows; ``...`` there stands for anything."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def folded(text: str) -> str:
    """Runs of blanks count as one: columns are as wide as what stands in them."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def matches(expected: str, printed: str) -> bool:
    pattern = re.escape(folded(expected)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, folded(printed), re.DOTALL) is not None


def test_the_tour_prints_what_it_says(tmp_path: Path) -> None:
    where = tmp_path
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    environment.pop("FSM_AGENT_STORE", None)
    for language, text in fences():
        if language == "python":
            (where / "example.py").write_text(text)
            done = subprocess.run(
                [sys.executable, "example.py"], cwd=where, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            continue
        for command, expected in commands(text):
            if command.startswith("cd "):
                where /= command.removeprefix("cd ")
                continue
            done = subprocess.run(  # noqa: S602 - the commands of our own page
                command, shell=True, cwd=where, capture_output=True, text=True, env=environment, check=False
            )
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
