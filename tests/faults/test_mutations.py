"""One token of a gallery file changed: what can be noticed is said at the right line, and nothing ever breaks."""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from fsm_agent.actions.registry import Actions
from fsm_agent.check import check_workflow
from fsm_agent.dialect.codes import Code
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import inspect_text
from tests.support.hypothesis_settings import IS_LONG

from .mutations import Mutation, is_declaration, is_free, lines_with, mutations, node_around, words_of

ROOT = Path(__file__).parents[2]
GALLERY = sorted((ROOT / "workflows").glob("*.yaml"))
HALF = 2_000 if IS_LONG else 50


@cache
def known_actions() -> dict[str, Signature]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    actions = Actions(modules=pyproject["tool"]["fsm-agent"]["modules"])
    return {name: known for name in actions.names() if (known := actions.signature(name))}


@cache
def found(text: str) -> list[Finding]:
    """All that is wrong; whatever is raised instead fails the test."""
    return inspect_text(
        text, folder=ROOT / "workflows", checks=[lambda workflow: check_workflow(workflow, actions=known_actions())]
    )[1]


def new_findings(text: str, mutation: Mutation) -> list[Finding]:
    """What is said of the mutation and was not said before; each at a place that is there."""
    before = set(map(str, found(text)))
    findings = [each for each in found(mutation.text) if str(each) not in before]
    lines = [*mutation.text.splitlines(), ""]
    for each in findings:
        assert each.place is not None, each
        assert each.place.column <= len(lines[each.place.line - 1]) + 1, each
    return findings


@pytest.mark.parametrize("file", GALLERY, ids=lambda file: file.stem)
def test_a_misspelt_word_is_found_where_it_stands_or_where_it_is_missed(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    met: Counter[str] = Counter()
    for mutation in mutations(text, misspelt=HALF, damaged=0, seed=file.stem):
        lines = {each.place.line for each in new_findings(text, mutation) if each.place}
        where = _where(text, mutation, lines)
        assert where, f"{mutation}: {lines}"
        met[where] += 1
    assert met["here"] > met["missed"] > 0


def _where(text: str, mutation: Mutation, lines: set[int]) -> str:
    """Here, or, of what is declared, where it is missed; silence is right only where nothing depends on it."""
    if not lines:
        return "free" if is_free(text, mutation) else ""
    if mutation.line in lines:
        return "here"
    return "missed" if is_declaration(text, mutation) and lines & lines_with(text, {mutation.was}) else ""


@pytest.mark.parametrize("file", GALLERY, ids=lambda file: file.stem)
def test_damage_is_found_in_the_node_that_has_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for mutation in mutations(text, misspelt=0, damaged=HALF, seed=file.stem):
        findings = new_findings(text, mutation)
        assert not findings or any(_is_near(text, mutation, each) for each in findings), f"{mutation}: {findings}"


def _is_near(text: str, mutation: Mutation, finding: Finding) -> bool:
    """In the node around, or where something is missed now, or where YAML noticed what was left open."""
    assert finding.place is not None
    line, was = finding.place.line, text.splitlines()[mutation.line - 1]
    key = was.partition(":")[0].strip()
    is_left_open = finding.code == Code.SYNTAX and line > mutation.line
    is_in_node = line in mutation.lines or line in node_around(text, mutation.line)
    is_missing = not words_of(was).isdisjoint(map(str, finding.path[-1:]))
    return is_left_open or is_in_node or is_missing or line in lines_with(text, {mutation.was, key})
