"""SARIF and GitLab's code quality report: valid, bounded, and text whatever a workflow says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from fsm_agent.cli.commands.explanation import entries
from fsm_agent.domain.finding import Finding, Place, Severity
from fsm_agent.proof.model import Kind
from fsm_agent.proof.verdicts import Outcome, PathStep, Verdict
from fsm_agent.report.code_quality import to_code_quality
from fsm_agent.report.review import Review
from fsm_agent.report.sarif import to_sarif
from tests.support.reviews import findings, review_of, reviewed, short, with_findings

#: a bracket that stands alone in its only odd pattern is none in a strict one
SCHEMA: Final = (
    (Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8").replace("{2}]?$", r"{2}\\]?$")
)
HOSTILE: Final = "</script>`]|\u202e{0}\n[here](https://example.org)"


def run_of(review: Review) -> Any:
    document = json.loads(json.dumps(to_sarif(review, entries(), version="0.1.0")))
    jsonschema_rs.Draft4Validator(json.loads(SCHEMA)).validate(document)
    return document["runs"][0]


def broken(*, path: int = 1, cycle: int = 0) -> Review:
    """A review whose only finding is a property that is broken by a way of this length."""
    one = reviewed(None, short(target="done"))
    step = PathStep("idle", "done", Kind.OUTSIDE, "go", {}, is_certain=True)
    verdict = Verdict("busy_first", Outcome.VIOLATED, (step,) * path, (step,) * cycle)
    proof = one.proofs[0]._replace(proof=one.proofs[0].proof._replace(verdicts=(verdict,)))
    finding = Finding("FSM604", "a run breaks `busy_first`", ("must", "busy_first"), place=Place(one.file, 9, 3))
    return review_of(replace(one, proofs=(proof,), findings=(finding,)))


def flow(review: Review) -> list[str]:
    (result,) = run_of(review)["results"]
    ((thread,),) = (each["threadFlows"] for each in result["codeFlows"])
    return [each["location"]["message"]["text"] for each in thread["locations"]]


def test_each_code_is_one_rule_with_its_page_as_help() -> None:
    found = (*findings(3), *findings(2, Severity.WARNING, "FSM308"))
    run = run_of(review_of(with_findings(reviewed(None, short()), *found)))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["FSM301", "FSM308"]
    assert rules[0]["helpUri"].endswith("/docs/checks.md#fsm301-a-state-is-never-entered")
    assert "Fails:" in rules[0]["help"]["markdown"]
    assert [(each["level"], rules[each["ruleIndex"]]["id"]) for each in run["results"]] == (
        [("error", "FSM301")] * 3 + [("warning", "FSM308")] * 2
    )


def test_every_code_has_help_that_sarif_can_hold() -> None:
    found = [Finding(code, "a mistake", ("states", code)) for code in entries()]
    rules = run_of(review_of(with_findings(reviewed(None, short()), *found)))["tool"]["driver"]["rules"]
    assert len(rules) == len(entries())
    assert [rule["id"] for rule in rules if rule["shortDescription"]["text"] == rule["id"]] == []


def test_of_more_results_than_are_shown_the_gravest_are_there() -> None:
    found = (*findings(40, Severity.NOTE, "FSM413"), *findings(5_100), *findings(20, Severity.WARNING, "FSM308"))
    run = run_of(review_of(with_findings(reviewed(None, short()), *found)))
    assert len(run["results"]) == 5_000
    assert {each["level"] for each in run["results"]} == {"error"}
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("160 more findings are not shown")


@pytest.mark.parametrize(("path", "cycle"), [(1_000, 0), (900, 100)])
def test_a_way_of_a_thousand_steps_is_whole(path: int, cycle: int) -> None:
    told = flow(broken(path=path, cycle=cycle))
    assert len(told) == 1_000
    assert sum(each.startswith("again and again: ") for each in told) == cycle


def test_of_a_longer_way_the_beginning_and_the_end_are_there() -> None:
    told = flow(broken(path=1_500, cycle=1))
    assert len(told) == 1_000
    assert told[500] == "502 steps are not shown"
    assert told[-1].startswith("again and again: ")


def test_text_of_a_workflow_is_text_and_no_link() -> None:
    place = Place("workflows/a b#?.yaml", 1, 1)
    told = Finding("FSM301", HOSTILE, ("states", HOSTILE), place=place)
    review = review_of(with_findings(reviewed(None, short()), told))
    (result,) = run_of(review)["results"]
    assert result["message"]["text"] == "</script>`]|\N{REPLACEMENT CHARACTER}{0} [here] (https://example.org)"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "workflows/a%20b%23%3F.yaml"
    (entry,) = to_code_quality(review)
    assert isinstance(entry, dict)
    assert entry["description"] == "FSM301: </script>`]|\N{REPLACEMENT CHARACTER}{0} [here](https://example.org)"
    assert entry["location"] == {"path": "workflows/a b#?.yaml", "lines": {"begin": 1}}


def test_every_finding_of_a_code_quality_report_has_a_fingerprint_of_its_own() -> None:
    twice = (*findings(3), *findings(3))
    review = review_of(with_findings(reviewed(None, short()), *twice))
    prints = [entry["fingerprint"] for entry in to_code_quality(review) if isinstance(entry, dict)]
    assert len(set(prints)) == len(prints) == 6
    assert {entry["severity"] for entry in to_code_quality(review) if isinstance(entry, dict)} == {"critical"}
