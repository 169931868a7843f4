"""docs/checks.md: an entry for every code and for nothing else, and every example does what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.registry import Actions
from fsm_agent.check import Code as Checked
from fsm_agent.check import check_workflow
from fsm_agent.dialect import Code as Read
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import inspect_file, inspect_text

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
ENTRY = re.compile(r"^### (FSM\d{3}): (.+?)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^(Fails|Passes):\n\n```(yaml|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEFT_OUT = re.search(r"```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ACTIONS = re.search(r"## Actions.*?```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

EXAMPLES = [
    pytest.param(code, example, id=f"{code}-{example[1].lower()}")
    for code, _, text in ENTRY.findall(PAGE)
    for example in EXAMPLE.finditer(text)
]


def whole(example: str) -> str:
    """The example with the top-level keys that it leaves out."""
    assert LEFT_OUT is not None
    parts = re.split(r"^(?=\w)", LEFT_OUT[1], flags=re.MULTILINE)
    missing = [part for part in parts if part and not re.search(rf"^{part.split(':')[0]}:", example, re.MULTILINE)]
    return example + "".join(missing)


def signatures() -> dict[str, Signature]:
    assert ACTIONS is not None
    names: dict[str, Any] = {}
    exec(ACTIONS[1], names)  # noqa: S102
    action = Actions([names["look_up"]]).signature("look_up")
    assert action is not None
    return {"look_up": action}


def findings_of(code: str, example: re.Match[str]) -> list[Finding]:
    actions = signatures() if code.startswith("FSM4") else None

    def check(workflow: Workflow) -> list[Finding]:
        return check_workflow(workflow, actions=actions, tools=actions)

    if example[2] == "yaml":
        return inspect_text(whole(example[3]), checks=[check])[1]
    *first, last = ast.parse(example[3]).body
    assert isinstance(last, ast.Expr)
    names = {"Path": Path, "inspect_file": inspect_file, "inspect_text": inspect_text}
    exec(compile(ast.Module(first, []), "docs", "exec"), names)  # noqa: S102
    _, findings = eval(compile(ast.Expression(last.value), "docs", "eval"), names)  # noqa: S307
    return list(findings)


def test_every_code_has_its_entry_and_every_entry_its_code() -> None:
    summaries = {code.value: code.summary for table in (Read, Checked) for code in table}
    assert [(code, summary) for code, summary, _ in ENTRY.findall(PAGE)] == sorted(summaries.items())


def test_every_entry_shows_what_fails_and_what_passes() -> None:
    shown = {code: [example[1] for example in EXAMPLE.finditer(text)] for code, _, text in ENTRY.findall(PAGE)}
    assert {code for code, kinds in shown.items() if kinds != ["Fails", "Passes"]} == {"FSM002", "FSM004", "FSM005"}
    assert all("Fails" in kinds for kinds in shown.values())


@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_an_example_does_what_it_says(
    code: str, example: re.Match[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = {code} if example[1] == "Fails" else set()
    assert {finding.code for finding in findings_of(code, example)} == expected
