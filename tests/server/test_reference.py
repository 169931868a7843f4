"""docs/http-api.md: its examples run, and its reference is what the document says now."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fsm_agent.server.api.problem_kinds import problem_kinds
from fsm_agent.server.api.reference import written
from fsm_agent.server.api.table import OPERATIONS
from fsm_agent.server.problems import STATUSES
from tests.support.servers.fsm_server import FsmServer
from tests.support.shop import Shop
from tests.test_readme import commands, matches

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "http-api.md"


def fences(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the workflow of the page."""
    [workflow] = fences("yaml")
    path = tmp_path / workflow.partition("\n")[0].removeprefix("# ")
    path.parent.mkdir()
    path.write_text(workflow, encoding="utf-8")
    return tmp_path


@pytest.fixture
def ports(project: Path) -> Iterator[dict[str, str]]:
    """Two servers on one store: one asks for no token, the other for that in the environment."""
    shop = Shop(project, is_empty=True)
    made = shop.process("token", "new", "holidays", "--scope", "read", "--scope", "operate", "--tokens", "tokens.json")
    store = f"sqlite:///{project / 'agents.db'}"
    with FsmServer(project, store) as free, FsmServer(project, store, "--tokens", "tokens.json") as asking:
        yield {"free": str(free.port), "asking": str(asking.port), "token": made.out.strip()}


@pytest.mark.long
def test_the_examples_of_the_page_print_what_it_says(project: Path, ports: dict[str, str]) -> None:
    ran = 0
    for console in fences("console"):
        for command, expected in commands(console):
            port = ports["asking" if "$TOKEN" in command else "free"]
            done = subprocess.run(  # noqa: S602 - the commands of our own page
                command.replace("localhost:8000", f"127.0.0.1:{port}"),
                shell=True,
                cwd=project,
                env={**os.environ, "TOKEN": ports["token"]},
                capture_output=True,
                text=True,
                check=False,
            )
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran == 16
    assert (project / "ana-1.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_the_reference_of_the_page_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "make http-api"


def test_every_link_within_the_page_leads_somewhere() -> None:
    page = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


def test_every_operation_has_a_section() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [each.name for each in OPERATIONS if f"### {each.name}\n\n`{each.method} {each.path}`" not in page] == []


def test_every_kind_of_problem_that_the_api_tells_is_listed() -> None:
    listed = {(each.status, each.name) for each in problem_kinds()}
    sources = [path for path in (ROOT / "fsm_agent" / "server").rglob("*.py") if "page" not in path.parts]
    told = [each for path in sources for each in re.findall(r'HttpProblem\(\s*(\d+), "([a-z-]+)"', path.read_text())]
    assert len(told) >= 15
    assert {(int(status), name) for status, name in told} - listed == set()


def test_no_kind_is_listed_that_no_status_tells() -> None:
    known = {*STATUSES.values(), 401, 405, 413, 415, 421, 428, 429}
    assert {each.status for each in problem_kinds()} <= known
