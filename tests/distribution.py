"""What is published, built once for all tests, and a clean environment in which it is installed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Distributions(NamedTuple):
    """The two files that are published."""

    wheel: Path
    sdist: Path


class Installation(NamedTuple):
    """A virtual environment with the wheel in it. The libraries that it needs are those of the tests, found through a
    path file, so that nothing is downloaded."""

    packages: Path
    environment: Mapping[str, str]

    def run(self, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """A command of the environment, in ``folder``."""
        return subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True, check=False)


def build(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Built by the first worker that asks; all workers share the files."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "distributions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "distributions"
        if not folder.exists():
            build(folder)
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


@pytest.fixture(scope="session")
def installation(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    home = tmp_path_factory.mktemp("installation")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, str(distributions.wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [packages] = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FSM_AGENT_", "PYTHON", "COV"))}
    path = f"{python.parent}{os.pathsep}{kept['PATH']}"
    return Installation(packages, {**kept, "PATH": path, "COLUMNS": "120"})
