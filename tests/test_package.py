"""What is published: the files of the wheel and of the sdist, what the index shows, and that it works installed."""

from __future__ import annotations

import re
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import fsm_agent
from tests.distribution import ROOT, Distributions, Installation

PACKAGE = ROOT / "fsm_agent"
EXTRAS = {"diagrams", "redis", "encryption", "demo", "tokens", "postgres", "http", "mcp", "llm", "langchain", "server",
          "telemetry", "celery", "temporal", "all"}  # fmt: skip
#: the target of a link or of a picture
LINK = re.compile(r"\]\(([^)]+)\)")


def files_below(folder: Path) -> set[str]:
    """The paths of all files, relative to ``folder``, without what was made and what is somebody's own."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    made = {"__pycache__", "node_modules", ".env"}
    return {path.as_posix() for path in files if not made.intersection(path.parts) and ".db" not in path.suffix}


@pytest.fixture(scope="module")
def metadata(installation: Installation) -> Message:
    [text] = installation.packages.glob("fsm_agent-*.dist-info/METADATA")
    return Parser().parsestr(text.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def unpacked(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist becomes."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(distributions.sdist) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


def test_the_wheel_brings_one_package_and_nothing_beside_it(installation: Installation) -> None:
    brought = {path.name for path in installation.packages.iterdir()} - {"dependencies.pth"}
    assert brought == {"fsm_agent", f"fsm_agent-{fsm_agent.__version__}.dist-info"}


def test_the_wheel_brings_every_file_of_the_package_and_the_page_of_checks(installation: Installation) -> None:
    installed = installation.packages / "fsm_agent"
    assert files_below(installed) == files_below(PACKAGE) | {"checks.md"}
    assert (installed / "checks.md").read_bytes() == (ROOT / "docs" / "checks.md").read_bytes()


@pytest.mark.parametrize(
    "pattern", ["py.typed", "schema/workflow.schema.json", "stores/redis/lua/*.lua", "cli/starter/**/*.txt"]
)
def test_what_is_no_python_is_in_the_wheel_too(installation: Installation, pattern: str) -> None:
    assert list((installation.packages / "fsm_agent").glob(pattern))


def test_the_sdist_has_all_that_is_needed_to_build_and_test(unpacked: Path) -> None:
    needed = ["fsm_agent", "tests", "benchmarks", "docs", "workflows", "examples", "diagrams"]
    assert {path.name for path in unpacked.iterdir() if path.is_dir()} == set(needed)
    for folder in needed:
        assert files_below(unpacked / folder) == files_below(ROOT / folder), folder
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml"):
        assert (unpacked / name).is_file()


def test_the_sdist_has_nothing_that_was_generated_and_nothing_of_ci(unpacked: Path) -> None:
    names = {part for path in unpacked.rglob("*") for part in path.relative_to(unpacked).parts}
    hidden = {path.name for path in unpacked.iterdir() if path.name.startswith(".")}
    assert hidden == {".gitignore", ".pre-commit-config.yaml", ".pre-commit-hooks.yaml"}
    generated = r"\.pyc$|\.db|^__pycache__$|^node_modules$|^dist$|egg-info|^\.coverage"
    assert not [name for name in names if re.search(generated, name)]


def test_the_index_shows_versions_addresses_and_extras(metadata: Message) -> None:
    shown = metadata.get_all("Classifier", [])
    pythons = {each.rpartition(" ")[2] for each in shown if re.search(r":: Python :: 3\.\d+$", each)}
    assert pythons == {"3.11", "3.12", "3.13", "3.14"}
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    addresses = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert set(addresses) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(address.startswith("https://") for address in addresses.values())
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_the_extra_all_has_what_the_other_extras_have(metadata: Message) -> None:
    required = [each.split("; extra == ") for each in metadata.get_all("Requires-Dist", []) if "extra" in each]
    of_all = {name for name, extra in required if extra == "'all'"}
    assert of_all == {name for name, extra in required if extra not in {"'all'", "'demo'"}}


def test_links_on_the_index_lead_somewhere(metadata: Message) -> None:
    links = LINK.findall(metadata.get_payload())
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_an_installed_package_says_its_version_and_makes_a_project_that_passes_check(
    installation: Installation, tmp_path: Path
) -> None:
    version = installation.run("python", "-m", "fsm_agent", "--version", folder=tmp_path)
    assert fsm_agent.__version__ in version.stdout
    where = installation.run("python", "-c", "import fsm_agent; print(fsm_agent.__file__)", folder=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installation.packages)
    assert installation.run("fsm-agent", "init", "project", folder=tmp_path).returncode == 0
    checked = installation.run("fsm-agent", "check", "workflows", folder=tmp_path / "project")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    explained = installation.run("fsm-agent", "check", "--explain", "FSM110", folder=tmp_path)
    assert "FSM110" in explained.stdout, explained.stderr
