"""The page on properties is true: its rules stand in its workflow, its pictures are fresh, its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsm_agent.domain.property import Property
from fsm_agent.loading.yaml_file import load, loads
from fsm_agent.proof.verdicts import Outcome
from fsm_agent.render.formats import draw
from fsm_agent.render.path_overlay import overlay_from_verdict
from fsm_agent.runtime.scripted.replayed_proof import ReplayedProof, prove_and_replay
from tests.test_docs import fences

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs/properties/refunds.yaml"
PICTURES = ROOT / "diagrams/properties"
WORKFLOW = load(FILE)


@pytest.fixture(scope="module")
def replayed() -> ReplayedProof:
    return prove_and_replay(WORKFLOW, WORKFLOW.must, signatures={})


def test_the_workflow_breaks_each_of_its_properties(replayed: ReplayedProof) -> None:
    assert {verdict.outcome for verdict in replayed.proof.verdicts} == {Outcome.VIOLATED}
    assert [*replayed.found] == [each.name for each in WORKFLOW.must]


def test_each_picture_is_fresh_and_on_the_page(replayed: ReplayedProof) -> None:
    page = (ROOT / "docs/properties.md").read_text(encoding="utf-8")
    names = [verdict.name for verdict in replayed.proof.verdicts]
    for verdict in replayed.proof.verdicts:
        fresh = draw(WORKFLOW, "mermaid", overlay=overlay_from_verdict(WORKFLOW, verdict))
        assert (PICTURES / f"refunds_{verdict.name}.mmd").read_bytes() == fresh, "run `make diagrams`"
        assert f"how `{verdict.name}` is broken" in (PICTURES / f"refunds_{verdict.name}.svg").read_text()
    assert re.findall(r"properties/refunds_(\w+)\.svg", page) == names
    assert {file.stem for file in PICTURES.iterdir()} == {f"refunds_{name}" for name in names}


def test_the_rules_of_the_page_are_those_of_the_workflow() -> None:
    written = FILE.read_text(encoding="utf-8").partition("must:\n")[0]
    shown = "".join(f"  {rule}" for rule in fences("properties.md", "yaml"))
    assert loads(f"{written}must:\n{shown}").must == WORKFLOW.must


def test_every_kind_of_rule_is_on_the_page() -> None:
    assert {frozenset(_keys(each)) for each in WORKFLOW.must} == {
        frozenset({"never", "before"}),
        frozenset({"never", "after"}),
        frozenset({"never", "from", "until"}),
        frozenset({"at_most", "of"}),
        frozenset({"from", "reaches", "within"}),
        frozenset({"whenever", "holds"}),
    }


def _keys(of: Property) -> list[str]:
    return [*of.rule.to_json()]


def test_the_example_of_the_page_declares_what_it_writes() -> None:
    names: dict[str, object] = {}
    [example] = fences("properties.md", "python")
    exec(compile(example, "docs/properties.md", "exec"), names)  # noqa: S102 - it is our own page
    signature = names["search"].action.signature  # type: ignore[attr-defined]
    assert (signature.writes, signature.emits) == ({"options", "note"}, {"found", "nothing_found"})
