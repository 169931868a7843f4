"""README.md as a new user takes it: all that it shows is done twice, by the installed wheel, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent
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


def pip(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of somebody who has installed the wheel, and nothing else of this folder. What fsm-agent depends
    on is seen where the tests have it."""
    folder = tmp_path_factory.mktemp("user")
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT))
    [wheel] = folder.glob("*.whl")
    home = folder / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    pip("--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    [site] = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FSM_AGENT_", "PYTHON"))}
    return {**kept, "PATH": f"{python.parent}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}


class Reader:
    """Somebody who does what the page says, block by block."""

    def __init__(self, folder: Path, user: Mapping[str, str]) -> None:
        self._folder, self._user = folder, user
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
        return subprocess.run(  # noqa: S602 - the commands of our own page
            command, shell=True, cwd=self._project, env=self._user, capture_output=True, text=True, check=False
        )


def test_the_readme_s_code_runs_twice_from_the_wheel_and_prints_what_the_page_says(
    tmp_path: Path, user: Mapping[str, str]
) -> None:
    codes: list[int] = []
    reader = Reader(tmp_path, user)
    for fence in fences():
        for command, expected, done in reader.takes(fence):
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
            assert fence.language != "python" or done.returncode == 0
            codes.append(done.returncode)
    again = Reader(tmp_path, user)
    repeats = ((fence, *taken) for fence in fences() for taken in again.takes(fence))
    for code, (fence, command, _, done) in zip(codes, repeats, strict=True):
        said = f"$ {command}\n{done.stdout}{done.stderr}"
        # an agent that has been answered is not answered again, and one sentence says so
        is_refused = fence.language == "console" and done.stderr.count("error: ") == 1
        assert done.returncode == code or is_refused, said
        assert "Traceback" not in said


def test_the_wheel_that_is_tried_is_not_this_folder(tmp_path: Path, user: Mapping[str, str]) -> None:
    where = subprocess.run(
        ["python", "-c", "import fsm_agent; print(fsm_agent.__file__)"],
        cwd=tmp_path,
        env=user,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not Path(where.stdout.strip()).is_relative_to(ROOT)
    assert Path(where.stdout.strip()).is_file()
