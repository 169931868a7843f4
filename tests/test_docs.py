"""The documentation is true: its examples run, and it leaves nothing out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from fsm_agent import dialect
from fsm_agent.check import check_workflow
from fsm_agent.dialect import keys
from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.state import Duration
from fsm_agent.loading import yaml_file
from tests.test_readme import commands, matches

DOCS = Path(__file__).parent.parent / "docs"


def fences(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(5))
def test_an_example_of_the_dialect_loads_and_has_no_findings(number: int) -> None:
    workflow = yaml_file.loads(fences("dialect.md", "yaml")[number])
    assert check_workflow(workflow) == []


def test_every_example_of_the_dialect_is_tested() -> None:
    assert len(fences("dialect.md", "yaml")) == 5


def test_the_workflow_of_the_page_on_memory_has_no_findings() -> None:
    [workflow] = fences("memory.md", "yaml")
    assert check_workflow(yaml_file.loads(workflow)) == []


@pytest.mark.parametrize(
    ("page", "last"), [("running.md", "run"), ("keeping.md", "keep_a_secret"), ("memory.md", "share")]
)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str, last: str) -> None:
    names: dict[str, object] = {}
    for example in fences(page, "python"):
        exec(compile(example, f"docs/{page}", "exec"), names)  # noqa: S102 - it is our own page
    assert last in names


def test_the_policy_of_keeping_agents_is_one() -> None:
    [policy] = fences("keeping.md", "toml")
    read = Retention.read(tomllib.loads(policy)["tool"]["fsm-agent"]["retention"])
    assert read == Retention(100, Duration.parse("30d"), Duration.parse("90d"))


@pytest.mark.long
def test_the_page_on_versions_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    """Files are written where they name themselves in their first line."""
    page = (DOCS / "versions.md").read_text()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("FSM_AGENT_STORE", None)
    ran = 0
    for language, text in re.findall(r"^```(yaml|python|console)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if language != "console":
            name, _, where = text.partition("\n")[0].removeprefix("# ").partition(", ")
            (tmp_path / name).parent.mkdir(exist_ok=True)
            with (tmp_path / name).open("a" if where else "w") as file:
                file.write(text)
            continue
        for command, expected in commands(text):
            done = subprocess.run(  # noqa: S602 - the commands of our own page
                command, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
            )
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran == 10


@pytest.mark.parametrize(
    "table",
    [
        keys.WORKFLOW, keys.STATE, keys.TRANSITION, keys.ASK, keys.RETRY, keys.LIMITS, keys.MIGRATION,
        keys.DATA_CHANGES, keys.CONVERSATION, keys.PROGRESS, keys.TOOL, keys.APPROVAL,
        BUILT_INS, *(built_in.arguments for built_in in BUILT_INS.values()),
    ],
    ids=len,
)  # fmt: skip
def test_every_key_of_the_dialect_is_documented(table: Mapping[str, object]) -> None:
    page = (DOCS / "dialect.md").read_text()
    assert [key for key in table if f"`{key}`" not in page] == []


def test_the_committed_schema_is_fresh() -> None:
    import json

    committed = Path(yaml_file.__file__).parents[1] / "schema" / "workflow.schema.json"
    assert json.loads(committed.read_text()) == dialect.dialect_schema()


def test_the_glossary_has_every_word_of_the_domain() -> None:
    page = (DOCS.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    glossary = page.partition("## Glossary")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in glossary.splitlines() if line.startswith("| ")][1:]
    told = [word for row in rows for word in re.findall(r"`(\w+)`", row[3])]
    texts = [path.read_text(encoding="utf-8") for path in (DOCS.parent / "fsm_agent" / "domain").glob("*.py")]
    words = re.findall(r"^class ([A-Z]\w*)", "\n".join(texts), re.MULTILINE)
    assert sorted(told) == sorted(words)


@pytest.mark.long
def test_the_page_on_reviewing_runs_in_the_demo_and_prints_what_it_says(tmp_path: Path) -> None:
    page = (DOCS / "reviewing.md").read_text(encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("FSM_AGENT_STORE", None)
    made = [str(DOCS.parent / "examples" / "review" / "demo.sh"), str(tmp_path)]
    demo = subprocess.run(["sh", *made], capture_output=True, text=True, env=environment, check=False)
    assert demo.returncode == 0, demo.stderr
    ran = 0
    for text in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for command, expected in commands(text):
            done = subprocess.run(  # noqa: S602 - the commands of our own page
                command, shell=True, cwd=tmp_path / "shop", capture_output=True, text=True, env=environment, check=False
            )
            assert matches(expected, done.stdout + done.stderr), f"$ {command}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran == 12
