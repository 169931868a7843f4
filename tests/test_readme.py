"""README.md as a new user takes it: all that it shows is done twice, by the installed wheel, in an empty folder."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.distribution import ROOT, Installation

README = ROOT / "README.md"


class Fence(NamedTuple):
    """A block of code, and what it is written in."""

    language: str
    text: str


def fences() -> list[Fence]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    return [Fence(language, text) for language, text in found]


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


class Reader:
    """Somebody who does what the page says, block by block."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        self._installation = installation
        self._project = folder

    def takes(self, fence: Fence) -> Iterator[tuple[str, str, subprocess.CompletedProcess[str]]]:
        """What is run for a block: the command, the output that the page shows, and what came of it."""
        match fence.language:
            case "console":
                yield from self._typed(fence.text)
            case "python":
                (self._project / "example.py").write_text(fence.text)
                yield "python example.py", "...", self._run("python example.py")
            case "yaml" if (named := re.match(r"# (\S+\.yaml)\n", fence.text)) is not None:
                (self._project / named[1]).write_text(fence.text)
            case "yaml":
                assert yaml.safe_load(fence.text)
            case other:
                raise AssertionError(f"nobody knows how to run a block of {other!r}")

    def _typed(self, text: str) -> Iterator[tuple[str, str, subprocess.CompletedProcess[str]]]:
        for command, expected in commands(text):
            if command.startswith("cd "):
                self._project /= command.removeprefix("cd ")
            else:
                yield command, expected, self._run(command)

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return self._installation.run("sh", "-c", command, folder=self._project)


def test_the_readme_s_code_runs_twice_from_the_wheel_and_prints_what_the_page_says(
    tmp_path: Path, installation: Installation
) -> None:
    codes: list[int] = []
    reader = Reader(tmp_path, installation)
    for fence in fences():
        for command, expected, done in reader.takes(fence):
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
            assert fence.language != "python" or done.returncode == 0
            codes.append(done.returncode)
    again = Reader(tmp_path, installation)
    repeats = ((fence, *taken) for fence in fences() for taken in again.takes(fence))
    for code, (fence, command, _, done) in zip(codes, repeats, strict=True):
        said = f"$ {command}\n{done.stdout}{done.stderr}"
        # an agent that has been answered is not answered again, and one sentence says so
        is_refused = fence.language == "console" and done.stderr.count("error: ") == 1
        assert done.returncode == code or is_refused, said
        assert "Traceback" not in said
